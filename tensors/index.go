package tensors

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxIndex bounds an index as the format bounds a header, in bytes.
const maxIndex = 100_000_000

// readIndex reads the weight map of a model.safetensors.index.json: for each
// tensor, the path of its shard.
func readIndex(path string) (map[string]string, error) {
	raw, err := readIndexBytes(path)
	if err != nil {
		return nil, err
	}
	w, err := newWalker(path, 0, raw)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	weights := map[string]string{}
	found := false
	err = w.object("the index", func(key string, _ int) error {
		if key != "weight_map" {
			return w.skip()
		}
		found = true
		return w.object("weight_map", func(tensor string, _ int) error {
			w.tensor = tensor
			defer func() { w.tensor = "" }()
			shard, at, _, err := w.str("its shard")
			if err != nil {
				return err
			}
			if !within(shard) {
				return w.fail(at, "shard path %q leaves the folder of the index, which is refused", shard)
			}
			weights[tensor] = filepath.Join(dir, filepath.FromSlash(shard))
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, w.fail(0, "the index lacks weight_map; download it again")
	}
	return weights, w.end(" \t\r\n")
}

func readIndexBytes(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("opening tensors: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, malformed(path, -1, "", "not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening tensors: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxIndex+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if len(raw) > maxIndex {
		return nil, malformed(path, -1, "", "an index of more than %d bytes is refused", maxIndex)
	}
	return raw, nil
}

// within reports whether a shard path stays in the folder of its index by its
// spelling. Symbolic links are followed: the Hugging Face cache is made of them.
func within(shard string) bool {
	if strings.ContainsAny(shard, "\\\x00") {
		return false
	}
	return filepath.IsLocal(filepath.FromSlash(shard)) && !slices.Contains(strings.Split(shard, "/"), "..")
}
