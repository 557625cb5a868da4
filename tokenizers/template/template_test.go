package template_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/tokenizers/template"
)

type golden struct {
	Template string
	Messages []template.Message
	Generate bool
	Want     string
	Refused  string
}

// What templates render is what transformers renders, to the last character; what they
// refuse there they refuse here.
func TestAsTransformers(t *testing.T) {
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []golden
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) < 60 {
		t.Fatalf("%d conversations say little", len(rows))
	}
	for i, row := range rows {
		text, err := os.ReadFile(filepath.Join("testdata", "templates", row.Template))
		if err != nil {
			t.Fatal(err)
		}
		c, err := template.Parse(string(text), map[string]string{"bos_token": "<s>", "eos_token": "</s>"})
		if err != nil {
			t.Fatalf("%s: %v", row.Template, err)
		}
		got, err := c.Render(row.Messages, row.Generate)
		if row.Refused != "" {
			if err == nil || !strings.Contains(err.Error(), "refuses it: "+row.Refused) {
				t.Errorf("%d, %s: %v, want it refused: %s", i, row.Template, err, row.Refused)
			}
			continue
		}
		if err != nil || got != row.Want {
			t.Errorf("%d, %s: %v\ngot  %q\nwant %q", i, row.Template, err, got, row.Want)
		}
	}
}

func TestLoad(t *testing.T) {
	const text = "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}{{ eos_token }}"
	quoted, _ := json.Marshal(text)
	for name, files := range map[string]map[string]string{
		"config": {"tokenizer_config.json": `{"bos_token": "<s>", "eos_token": {"content": "</s>"}, "chat_template": ` + string(quoted) + `}`},
		"named":  {"tokenizer_config.json": `{"bos_token": "<s>", "eos_token": "</s>", "chat_template": [{"name": "tool_use", "template": "x"}, {"name": "default", "template": ` + string(quoted) + `}]}`},
		"file":   {"tokenizer_config.json": `{"bos_token": "<s>", "eos_token": "</s>", "chat_template": "x"}`, "chat_template.jinja": text},
	} {
		dir := t.TempDir()
		for file, content := range files {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		c, err := template.Load(dir)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, err := c.Render([]template.Message{{Role: "user", Content: "hi"}}, false); got != "<s>hi</s>" || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := template.Load(t.TempDir()); !errors.Is(err, template.ErrNone) {
		t.Errorf("a folder without one: %v", err)
	}
}

func TestParseErrors(t *testing.T) {
	for _, text := range []string{"{% if %}", "{{ x", "{% for m in messages %}", "{% include 'other' %}", "{{ messages | nosuch }}"} {
		c, err := template.Parse(text, nil)
		if err == nil {
			_, err = c.Render([]template.Message{{Role: "user", Content: "a"}}, true)
		}
		if err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// Whatever a template is, it is an error or a text.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/templates/*.jinja")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "range") || len(text) > 4096 {
			t.Skip() // a template may be slow, as a program may
		}
		if c, err := template.Parse(text, nil); err == nil {
			_, _ = c.Render([]template.Message{{Role: "user", Content: "a"}}, true)
		}
	})
}
