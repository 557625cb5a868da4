package tensors

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	singleName = "model.safetensors"
	indexName  = "model.safetensors.index.json"
)

// Open maps the checkpoint at path: a .safetensors file, an index of shards
// (a .json file), or a folder that holds model.safetensors, or else
// model.safetensors.index.json, or else exactly one *.safetensors.
//
// Headers are read and checked, the numbers are not. What is malformed is a
// [*FormatError]; what is missing wraps [fs.ErrNotExist].
func Open(path string) (*Checkpoint, error) {
	weights, err := resolve(path)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{
		path:  path,
		dir:   filepath.Dir(weights),
		where: map[string]place{},
		meta:  map[string]string{},
	}
	if strings.HasSuffix(weights, ".json") {
		err = c.addShards(weights)
	} else {
		err = c.add(weights, nil)
	}
	if err != nil {
		c.Close() // nothing but the mappings made so far; err says why
		return nil, err
	}
	slices.SortFunc(c.infos, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	return c, nil
}

// resolve returns the weights file or index that path stands for.
func resolve(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("opening tensors: %w", err)
	}
	if !info.IsDir() {
		return path, nil
	}
	for _, name := range []string{singleName, indexName} {
		p := filepath.Join(path, name)
		_, err := os.Stat(p)
		if err == nil {
			return p, nil
		}
		// A broken link is no reason to fall back on another file.
		if _, lerr := os.Lstat(p); lerr == nil || !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("opening tensors: %w", err)
		}
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return "", fmt.Errorf("opening tensors: %w", err)
	}
	var found []string
	pickle := ""
	for _, e := range entries {
		switch name := e.Name(); {
		case e.IsDir():
		case strings.HasSuffix(name, ".safetensors"):
			found = append(found, name)
		case strings.HasPrefix(name, "pytorch_model") && strings.HasSuffix(name, ".bin"):
			pickle = name
		}
	}
	switch {
	case len(found) == 1:
		return filepath.Join(path, found[0]), nil
	case len(found) > 1:
		return "", malformed(path, -1, "", "holds %d safetensors files (%s) and no %s; name one of them", len(found), strings.Join(found[:min(len(found), 3)], ", "), indexName)
	case pickle != "":
		return "", malformed(path, -1, "", "holds %s, a PyTorch pickle, and no safetensors; convert it first", pickle)
	}
	return "", fmt.Errorf("no safetensors file in %s: %w", path, fs.ErrNotExist)
}

// addShards opens every shard that an index names, and holds the index and
// the shards against each other.
func (c *Checkpoint) addShards(index string) error {
	weights, err := readIndex(index)
	if err != nil {
		return err
	}
	shards := slices.Compact(slices.Sorted(maps.Values(weights)))
	for _, shard := range shards {
		err := c.add(shard, func(tensor string) error {
			switch want, ok := weights[tensor]; {
			case !ok:
				return malformed(shard, -1, tensor, "not in %s; shards and index are of different downloads", index)
			case want != shard:
				return malformed(shard, -1, tensor, "%s places it in %s; shards and index are of different downloads", index, filepath.Base(want))
			}
			return nil
		})
		if errors.Is(err, fs.ErrNotExist) {
			return &FormatError{Path: index, Offset: -1, Err: fmt.Errorf("names the missing shard %s; download it: %w", filepath.Base(shard), fs.ErrNotExist)}
		}
		if err != nil {
			return err
		}
	}
	for _, tensor := range slices.Sorted(maps.Keys(weights)) {
		if _, ok := c.where[tensor]; !ok {
			return malformed(index, -1, tensor, "not in the shard %s that the index names; shards and index are of different downloads", filepath.Base(weights[tensor]))
		}
	}
	return nil
}

// add opens one file. check, where given, may refuse a tensor by its name.
func (c *Checkpoint) add(path string, check func(tensor string) error) error {
	m, h, err := openMapping(path)
	if err != nil {
		return err
	}
	c.maps = append(c.maps, m)
	for key, value := range h.meta {
		if _, ok := c.meta[key]; !ok {
			c.meta[key] = value
		}
	}
	for _, t := range h.tensors {
		if check != nil {
			if err := check(t.Name); err != nil {
				return err
			}
		}
		c.infos = append(c.infos, t.Info)
		c.where[t.Name] = place{located: t, file: m}
	}
	return nil
}
