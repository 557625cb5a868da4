package tokenizers

import (
	"strings"
	"testing"
)

func TestChatTemplate(t *testing.T) {
	marks := map[string]string{"alpaca": "### Instruction:", "chatml": "<|im_start|>", "exaone": "[|endofturn|]", "llama3": "<|eot_id|>", "mistral": "[INST]"}
	for _, name := range TemplateNames() {
		text, known := ChatTemplate(name)
		if !known || !strings.Contains(text, marks[name]) || marks[name] == "" {
			t.Errorf("%s: %v, %q", name, known, text)
		}
	}
	for _, name := range []string{"", "auto", "chatml.jinja", "../doc"} {
		if _, known := ChatTemplate(name); known {
			t.Errorf("%q is known", name)
		}
	}
}

func TestCommonTemplate(t *testing.T) {
	list := func(templates ...string) (ts []*Tokenizer) {
		for _, text := range templates {
			files := map[string]string{"tokenizer.json": wordLevel(abc)}
			if text != "" {
				files["tokenizer_config.json"] = `{"chat_template":` + text + `}`
			}
			ts = append(ts, loaded(t, files))
		}
		return append(ts, nil)
	}
	for _, k := range []struct {
		ts   []*Tokenizer
		want string
		ok   bool
	}{
		{list(`"A"`, `"B"`, `"B"`), "B", true},
		{list(`"A"`, `"B"`, ""), "A", true},
		{list("", "", `"B"`), "B", true},
		{list(`"A"`, `[{"name":"tool","template":"T"},{"name":"default","template":"B"}]`, `"B"`), "B", true},
		{list(`[{"name":"tool","template":"T"}]`, `null`), "", false},
		{list(), "", false},
	} {
		if got, ok := CommonTemplate(k.ts); got != k.want || ok != k.ok {
			t.Errorf("%q, %v; want %q, %v", got, ok, k.want, k.ok)
		}
	}
	both := loaded(t, map[string]string{"tokenizer.json": wordLevel(abc), "tokenizer_config.json": `{"chat_template":"A"}`, "chat_template.jinja": "file\n"})
	if text, _ := both.ChatTemplate(); text != "file\n" {
		t.Errorf("%q: the file goes before the key", text)
	}
}
