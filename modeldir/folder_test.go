package modeldir_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mergevo/mergevo/modeldir"
)

// folder writes files, given by name and text in turn, and returns where.
func folder(t testing.TB, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func open(t testing.TB, files ...string) *modeldir.Folder {
	t.Helper()
	f, err := modeldir.Open(folder(t, files...))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// config reads a configuration of testdata.
func config(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "configs", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestOpenPlain(t *testing.T) {
	f := open(t, "model.safetensors", "")
	if f.HasConfig() || f.Files() != nil {
		t.Errorf("config %v, files %v in a folder of weights", f.HasConfig(), f.Files())
	}
	data, notes, err := f.Edit(modeldir.Edits{DType: 1, Layers: []int{0}, Vocabulary: 3, Head: modeldir.HeadOwn})
	if data != nil || notes != nil || err != nil {
		t.Errorf("edited to %q, %q, %v", data, notes, err)
	}
	if got := modeldir.Warnings([]*modeldir.Folder{f, f}, []string{"a", "b"}, 0, false); got != nil {
		t.Errorf("warnings %q", got)
	}
}

func TestOpenFiles(t *testing.T) {
	f := open(t, "tokenizer.json", "not read", "merges.txt", "", "config.json", "{}", "modeling_x.py", "", "generation_config.json", "{}")
	if diff := cmp.Diff([]string{"generation_config.json", "tokenizer.json", "merges.txt"}, f.Files()); diff != "" {
		t.Error(diff)
	}
	for _, name := range modeldir.Companions() {
		if name == "config.json" || name == "README.md" || strings.ContainsAny(name, `/\`) {
			t.Errorf("%s travels", name)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, test := range []struct{ name, file, text, want string }{
		{"cut short", "config.json", "{\n  \"a\": 1,\n  \"b\": [1", "config.json:3:10: want a comma or ] in the list, not the end of the file"},
		{"no value", "config.json", "{\"a\":", "config.json:1:6: the JSON ends where a value must stand"},
		{"comma at the end", "config.json", "{\n  \"a\": 1,\n}", "config.json:3:1: want a key in double quotes, not '}'"},
		{"single quotes", "config.json", "{'a': 1}", "config.json:1:2: want a key in double quotes"},
		{"no colon", "config.json", `{"a" 1}`, `config.json:1:6: want a colon after the key "a", not '1'`},
		{"no comma", "config.json", `{"é": 1 "b": 2}`, "config.json:1:9: want a comma or } after the value of \"é\""},
		{"comment", "generation_config.json", "{} // mine", "generation_config.json:1:4: '/' follows the end of the JSON"},
		{"word", "tokenizer_config.json", `{"a": True}`, `tokenizer_config.json:1:7: "True" is no JSON value`},
		{"number", "config.json", `{"a": 01}`, `1:7: "01" is no JSON value`},
		{"empty value", "config.json", `{"a": ,}`, `1:7: want a value, not ','`},
		{"list", "config.json", "\n []", "config.json:2:2: must be a JSON object"},
		{"empty", "config.json", "", "config.json:1:1: the JSON ends"},
		{"twice", "config.json", `{"a": 1, "a": 2}`, `config.json:1:10: the key "a" stands twice`},
		{"string", "config.json", `{"a": "b`, "1:7: a string that does not end"},
		{"string that ends in an escape", "config.json", `{"a": "b\`, "1:7: a string that does not end"},
		{"escape", "config.json", `{"a": "\x"}`, "1:7: a string with a wrong escape"},
		{"control", "config.json", "{\"a\": \"\n\"}", "1:8: a string holds the control character 0x0a"},
		{"latin-1", "config.json", "{\"a\": \"\xe9\"}", "1:8: byte 0xe9 is not UTF-8"},
		{"mark", "config.json", "\uFEFF{}", "1:1: starts with a byte order mark"},
		{"lfs", "config.json", "version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer, not the file; run `git lfs pull`"},
		{"deep", "config.json", `{"a":` + strings.Repeat("[", 300), "nested more than 200 deep"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := modeldir.Open(folder(t, test.file, test.text))
			var fe *modeldir.FormatError
			if !errors.As(err, &fe) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v; want %q", err, test.want)
			}
		})
	}
	dir := folder(t, "file", "")
	if _, err := modeldir.Open(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	if _, err := modeldir.Open(filepath.Join(dir, "file")); err == nil || !strings.Contains(err.Error(), "not a folder") {
		t.Errorf("a file: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "config.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := modeldir.Open(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder named config.json: %v", err)
	}
}

// Python writes numbers that are none, and configurations hold them.
func TestOpenNotANumber(t *testing.T) {
	const text = `{"time_step_limit": [0.0, Infinity], "a": -Infinity, "b": NaN, "vocab_size": 3}`
	f := open(t, "config.json", text)
	data, _, err := f.Edit(modeldir.Edits{Vocabulary: 4})
	if want := strings.Replace(text, ": 3", ": 4", 1); err != nil || string(data) != want {
		t.Errorf("%s, %v", data, err)
	}
}
