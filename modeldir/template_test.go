package modeldir_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSetChatTemplate(t *testing.T) {
	type files = map[string]string
	const jinja = "{{ \"<é>\" }}\n"
	const spelt = `"{{ \"<é>\" }}\n"`
	for _, test := range []struct {
		name   string
		donor  []string
		before string // the donor's template, "" without one
		want   files
	}{
		{"nothing there", nil, "", files{"chat_template.jinja": jinja}},
		{"file", []string{"chat_template.jinja", "old"}, "old", files{"chat_template.jinja": jinja}},
		{"file and key", []string{"chat_template.jinja", "old", "tokenizer_config.json", `{"chat_template": "older"}`}, "old",
			files{"chat_template.jinja": jinja, "tokenizer_config.json": `{"chat_template": ` + spelt + `}`}},
		{"file, no key", []string{"chat_template.jinja", "old", "tokenizer_config.json", `{"a": 1}`}, "old", files{"chat_template.jinja": jinja}},
		{"key", []string{"tokenizer_config.json", "{\n  \"z\": 1.0,\n  \"chat_template\": \"o\\u006cd\",\n  \"a\": \"\\u00e9\"\n}\n"}, "old",
			files{"tokenizer_config.json": "{\n  \"z\": 1.0,\n  \"chat_template\": " + spelt + ",\n  \"a\": \"\\u00e9\"\n}\n"}},
		{"no key", []string{"tokenizer_config.json", "{\n  \"z\": 1.0\n}"}, "", files{"tokenizer_config.json": "{\n  \"z\": 1.0,\n  \"chat_template\": " + spelt + "\n}"}},
		{"null", []string{"tokenizer_config.json", `{"chat_template": null}`}, "", files{"tokenizer_config.json": `{"chat_template": ` + spelt + `}`}},
		{"several", []string{"tokenizer_config.json", `{"chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "old"}]}`}, "old",
			files{"tokenizer_config.json": `{"chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": ` + spelt + `}]}`}},
		{"several without a default", []string{"tokenizer_config.json", `{"chat_template": [{"name": "tool_use", "template": "t"}]}`}, "",
			files{"tokenizer_config.json": `{"chat_template": [{"name": "tool_use", "template": "t"},{"name": "default", "template": ` + spelt + `}]}`}},
		{"processor", []string{"chat_template.json", `{"chat_template": "old"}`, "tokenizer_config.json", `{}`}, "",
			files{"chat_template.json": `{"chat_template": ` + spelt + `}`, "tokenizer_config.json": `{"chat_template": ` + spelt + `}`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := open(t, test.donor...)
			if before, ok := f.ChatTemplate(); before != test.before || ok != (before != "") {
				t.Errorf("template before: %q, %v", before, ok)
			}
			set, err := f.SetChatTemplate(jinja)
			if err != nil {
				t.Fatal(err)
			}
			got := files{}
			for _, s := range set {
				got[s.Name] = string(s.Data)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			var written []string
			for name, data := range got {
				written = append(written, name, data)
			}
			if after, _ := open(t, written...).ChatTemplate(); after != jinja && test.name != "processor" {
				t.Errorf("template after: %q", after)
			}
		})
	}
	if _, err := open(t, "chat_template.json", "{").SetChatTemplate("x"); err == nil {
		t.Error("a broken chat_template.json was taken")
	}
}
