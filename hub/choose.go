package hub

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Names that tensors.Open knows, and that of a LoRA adapter's weights.
const (
	singleName  = "model.safetensors"
	indexName   = singleName + ".index.json"
	adapterName = "adapter_model.safetensors"
)

// templates is the one folder of a model from which files are taken.
const templates = "additional_chat_templates"

// small reports whether a file is one that is fetched whole, ahead of the
// weights: configs, tokenizers, templates and the model card.
func small(name string) bool {
	dir, base := path.Split(name)
	if dir != "" {
		return dir == templates+"/" && path.Ext(base) == ".jinja"
	}
	switch base {
	case "README.md", "vocab.txt", "merges.txt", "vocab.bpe", "bpe.codes", "tokenizer.model.v3":
		return true
	}
	return slices.Contains([]string{".json", ".jinja", ".model", ".tiktoken", ".spm"}, path.Ext(base))
}

// smallFiles returns the files of the listing that are fetched whole.
func (l *listing) smallFiles() []file {
	var all []file
	for _, f := range l.Files {
		if small(f.Name) {
			all = append(all, f)
		}
	}
	return all
}

// weights returns the safetensors files that [tensors.Open] would read, so that
// second copies of a model in one repository are not fetched. index reads the
// index of the shards and is called only where there is one.
func (l *listing) weights(ref Ref, index func() ([]byte, error)) ([]file, error) {
	var chosen []file
	if f, ok := l.find(adapterName); ok {
		chosen = append(chosen, f)
	}
	if f, ok := l.find(singleName); ok {
		return append(chosen, f), nil
	}
	if _, ok := l.find(indexName); ok {
		b, err := index()
		if err != nil {
			return nil, err
		}
		shards, err := l.shards(ref, b)
		return append(chosen, shards...), err
	}
	if len(chosen) > 0 {
		return chosen, nil
	}
	var here, below []file
	for _, f := range l.Files {
		switch {
		case path.Ext(f.Name) != ".safetensors":
		case strings.Contains(f.Name, "/"):
			below = append(below, f)
		default:
			here = append(here, f)
		}
	}
	switch {
	case len(here) == 1:
		return here, nil
	case len(here) > 1:
		return nil, fmt.Errorf("%s: %w: it holds %d (%s, %s) and neither %s nor %s; fetch the folder yourself and name the file", ref, ErrFormat, len(here), here[0].Name, here[1].Name, singleName, indexName)
	case len(below) > 0:
		return nil, fmt.Errorf("%s: %w: they lie in a folder (%s); fetch it yourself and name the folder", ref, ErrFormat, below[0].Name)
	}
	for _, f := range l.Files {
		if slices.Contains([]string{".bin", ".pt", ".pth", ".ckpt", ".gguf", ".h5", ".msgpack", ".onnx"}, path.Ext(f.Name)) {
			return nil, fmt.Errorf("%s: %w: it holds %s, which is not read; look for a pull request with safetensors and add its revision (@refs/pr/1), or convert the model", ref, ErrFormat, f.Name)
		}
	}
	return nil, fmt.Errorf("%s: %w: it holds no weights at all; check the id and the revision", ref, ErrFormat)
}

// shards returns the files that an index names.
func (l *listing) shards(ref Ref, b []byte) ([]file, error) {
	var index struct {
		Map map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(b, &index); err != nil || len(index.Map) == 0 {
		return nil, fmt.Errorf("%s, %s: %w: no index of shards (it lacks a weight_map); the model's author must mend it", ref, indexName, ErrFormat)
	}
	var all []file
	for _, name := range slices.Compact(slices.Sorted(maps.Values(index.Map))) {
		f, ok := l.find(name)
		if !ok || path.Ext(name) != ".safetensors" || strings.Contains(name, "/") {
			return nil, fmt.Errorf("%s, %s: %w: it names the shard %q, which the model does not hold; the model's author must mend it", ref, indexName, ErrFormat, name)
		}
		all = append(all, f)
	}
	return all, nil
}
