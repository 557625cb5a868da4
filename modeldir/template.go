package modeldir

import (
	"path/filepath"
	"slices"
)

// File is a file of an output: its name in the folder and its bytes.
type File struct {
	Name string
	Data []byte
}

const templateFile = "chat_template.jinja"

// ChatTemplate returns the Jinja text of the folder's chat template, and whether
// there is one. A file of its own goes before a key of tokenizer_config.json, and
// of several templates there the one named default counts, as in transformers.
func (f *Folder) ChatTemplate() (string, bool) {
	if slices.Contains(f.files, templateFile) {
		if data, err := readFile(filepath.Join(f.dir, templateFile)); err == nil {
			return string(data), true
		}
	}
	if f.tokenizer == nil {
		return "", false
	}
	v := defaultTemplate(f.tokenizer)
	return f.tokenizer.str(v), v.is('"')
}

// SetChatTemplate returns the files of an output whose donor is this folder and
// whose chat template is the given Jinja text: chat_template.jinja if the donor
// has one, and the key of tokenizer_config.json if there is such a file, edited in
// place, since readers differ in where they look. Without either,
// chat_template.jinja is added. A chat_template.json is edited too. It fails where
// that one is no JSON.
func (f *Folder) SetChatTemplate(template string) ([]File, error) {
	var files []File
	alone := slices.Contains(f.files, templateFile)
	if d := f.tokenizer; d != nil && (!alone || d.root.get("chat_template") != nil) {
		files = append(files, File{"tokenizer_config.json", withTemplate(d, template)})
	}
	if alone || files == nil {
		files = append(files, File{templateFile, []byte(template)})
	}
	const processor = "chat_template.json"
	if slices.Contains(f.files, processor) {
		d, err := readDocument(filepath.Join(f.dir, processor))
		if err != nil {
			return nil, err
		}
		if d != nil {
			files = append(files, File{processor, withTemplate(d, template)})
		}
	}
	slices.SortFunc(files, func(a, b File) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return files, nil
}

// withTemplate sets the default template of a document and leaves the others.
func withTemplate(d *document, template string) []byte {
	s := &splices{document: d}
	list := d.root.get("chat_template")
	switch v := defaultTemplate(d); {
	case v != nil:
		s.replace(v, quote(template))
	case list.is('[') && len(list.items) > 0:
		last := list.items[len(list.items)-1]
		s.list = append(s.list, splice{last.to, last.to, "," + s.lead(last.from) + `{"name": "default", "template": ` + quote(template) + "}"})
	default:
		s.set(d.root, "chat_template", quote(template))
	}
	return s.bytes()
}

// defaultTemplate finds the string that holds a template, nil where there is none:
// the key's value, or in a list of named ones the one named default.
func defaultTemplate(d *document) *value {
	v := d.root.get("chat_template")
	if v.is('[') {
		for _, item := range v.items {
			if text := item.get("template"); text.is('"') && d.str(item.get("name")) == "default" {
				return text
			}
		}
		return nil
	}
	if v.is('"') {
		return v
	}
	return nil
}
