package modeldir

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Folder is what lies beside a model's weights, as read by [Open].
type Folder struct {
	dir        string
	config     *document // nil without the file, as all of these
	generation *document
	tokenizer  *document // tokenizer_config.json
	card       Statement
	files      []string // those of Companions that are there
}

// Open reads the folder of a model. What is missing is no error, a folder without
// a single JSON file neither; JSON that cannot be read is a [*FormatError], since
// a merge would only hand it on.
func Open(dir string) (*Folder, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("opening a model's folder: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s: not a folder", dir)
	}
	f := &Folder{dir: dir, card: readStatement(filepath.Join(dir, "README.md"))}
	for _, d := range []struct {
		name string
		to   **document
	}{{"config.json", &f.config}, {"generation_config.json", &f.generation}, {"tokenizer_config.json", &f.tokenizer}} {
		if *d.to, err = readDocument(filepath.Join(dir, d.name)); err != nil {
			return nil, err
		}
	}
	for _, name := range companions {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			f.files = append(f.files, name)
		}
	}
	return f, nil
}

// readStatement reads the start of a card; a card that cannot be read states
// nothing.
func readStatement(path string) Statement {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return Statement{}
	}
	file, err := os.Open(path)
	if err != nil {
		return Statement{}
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFront))
	if err != nil {
		return Statement{}
	}
	return ParseStatement(data)
}

// Dir returns the folder.
func (f *Folder) Dir() string { return f.dir }

// HasConfig reports whether there is a config.json.
func (f *Folder) HasConfig() bool { return f.config != nil }

// Files returns those of [Companions] that the folder holds, in that order.
func (f *Folder) Files() []string { return slices.Clone(f.files) }

// Statement returns what the front matter of the folder's README.md states, the
// zero Statement where there is none.
func (f *Folder) Statement() Statement { return f.card }

// scope is one object of a config.json that describes a network.
type scope struct {
	name string // with dots, "" for the top
	*value
}

// label is a key's name with its place.
func (s scope) label(key string) string {
	if s.name == "" {
		return key
	}
	return s.name + "." + key
}

// scopes returns the top and the parts that have a configuration of their own, in
// the order of the file.
func (d *document) scopes() []scope {
	all := []scope{{"", d.root}}
	for i := 0; i < len(all); i++ {
		for _, m := range all[i].members {
			if m.is('{') && isPart(m.key) {
				all = append(all, scope{all[i].label(m.key), m.value})
			}
		}
	}
	return all
}

// isPart tells parts of a model from objects that describe no network.
func isPart(key string) bool {
	switch key {
	case "encoder", "decoder":
		return true
	case "quantization_config", "compression_config", "generation_config":
		return false
	}
	return strings.HasSuffix(key, "_config")
}

// language returns the objects that may describe the language model: its own part
// first, where there is one, then the top.
func (d *document) language() []scope {
	for _, s := range d.scopes() {
		switch s.name[strings.LastIndexByte(s.name, '.')+1:] {
		case "text_config", "llm_config", "language_config":
			return []scope{s, {"", d.root}}
		}
	}
	return []scope{{"", d.root}}
}
