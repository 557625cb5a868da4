package modeldir_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mergevo/mergevo/modeldir"
	"github.com/mergevo/mergevo/tensors"
)

var configs = []string{"llama", "llama5", "qwen2", "gemma3", "gpt2", "bert", "clip", "whisper", "mixtral"}

// members returns the values of an object by key, as spelt.
func members(t *testing.T, data []byte) map[string]json.RawMessage {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatalf("%v in %q", err, data)
	}
	return m
}

// Whatever is edited, what was JSON stays JSON, keys that no edit concerns keep
// their bytes, and a second time changes nothing.
func FuzzEdit(f *testing.F) {
	for _, name := range configs {
		f.Add([]byte(config(f, name)), 7, []byte{0, 1, 1}, uint8(1), "{{ x }}")
	}
	for _, text := range []string{`{}`, ` { } `, `{"a":1}`, `{"num_layers":2,"layer_types":["a",{}],"moe_layers":[1]}`, `{"text_config":{},"tie_word_embeddings":false}`,
		`{"num_layers":2,"attention_types":[[["a","b"],1]]}`, `{"vocab_size":1,"":2,"chat_template":[{"name":"x"}]}`, `{"x":NaN}`, `{"a":1,"a":2}`, `{"\ud800":1,"b":"\ud800"}`,
		`{"auto_map":{"a":["b.c"]},"rope_scaling":{"full_attention":{}}}`} {
		f.Add([]byte(text), 1, []byte{0}, uint8(2), "")
	}
	f.Fuzz(func(t *testing.T, data []byte, rows int, from []byte, head uint8, template string) {
		folder, err := modeldir.Parse(data)
		if err != nil {
			var fe *modeldir.FormatError
			if !errors.As(err, &fe) || fe.Line < 1 || fe.Col < 1 {
				t.Fatalf("%v: a %T without a place", err, err)
			}
			known := []string{"stands twice", "nested more", "must be a JSON object"}
			if json.Valid(data) && utf8.Valid(data) && !slices.ContainsFunc(known, func(s string) bool { return strings.Contains(err.Error(), s) }) {
				t.Fatalf("%v: refused %q", err, data)
			}
			return
		}
		if !json.Valid(data) {
			if !bytes.Contains(data, []byte("NaN")) && !bytes.Contains(data, []byte("Infinity")) {
				t.Fatalf("took %q", data)
			}
			return
		}
		modeldir.Warnings([]*modeldir.Folder{folder, folder}, []string{"a", "b"}, 0, false)
		if same, _, err := folder.Edit(modeldir.Edits{}); err != nil || !bytes.Equal(same, data) {
			t.Fatalf("no edit gives %q, %v, from %q", same, err, data)
		}
		e := modeldir.Edits{DType: tensors.BF16, Vocabulary: rows, Head: modeldir.Head(head % 3)}
		once, _, err := folder.Edit(e)
		if err != nil {
			t.Fatal(err)
		}
		unchanged(t, data, once, "vocab_size", "padded_vocab_size", "pad_token_id", "tie_word_embeddings", "torch_dtype", "dtype")
		again, err := modeldir.Parse(once)
		if err != nil {
			t.Fatalf("%v: wrote %q", err, once)
		}
		if twice, _, _ := again.Edit(e); !bytes.Equal(once, twice) {
			t.Fatalf("once %q, twice %q", once, twice)
		}
		for _, l := range from {
			e.Layers = append(e.Layers, int(int8(l)))
		}
		if out, _, err := folder.Edit(e); err == nil {
			members(t, out)
		}
		files, err := folder.SetChatTemplate(template)
		if err != nil || len(files) != 1 {
			t.Fatalf("%d files, %v", len(files), err)
		}
		unchanged(t, data, files[0].Data, "chat_template")
		told, err := modeldir.Parse(files[0].Data)
		if err != nil {
			t.Fatalf("%v: wrote %q", err, files[0].Data)
		}
		if got, _ := told.ChatTemplate(); got != strings.ToValidUTF8(template, "\uFFFD") && utf8.ValidString(template) {
			t.Fatalf("template %q, want %q", got, template)
		}
	})
}

// unchanged checks that all keys but some, and but the parts of a model, have
// their bytes.
func unchanged(t *testing.T, before, after []byte, except ...string) {
	t.Helper()
	now := members(t, after)
	for key, was := range members(t, before) {
		part := strings.HasSuffix(key, "_config") || key == "encoder" || key == "decoder"
		if !part && !slices.Contains(except, key) && !bytes.Equal(was, now[key]) {
			t.Fatalf("%q was %s and is %s", key, was, now[key])
		}
	}
}

// A card's front matter is read without a panic, whatever it is.
func FuzzParseStatement(f *testing.F) {
	f.Add("---\nlicense: mit\nbase_model:\n- org/a\ntags: [a, 'b']\n---\n# x")
	f.Add("---\ntags: [\n- \n\":\n---")
	f.Fuzz(func(t *testing.T, text string) {
		s := modeldir.ParseStatement([]byte(text))
		for _, word := range append(append(s.BaseModels, s.Tags...), s.License, s.LicenseName, s.LicenseLink) {
			if strings.Contains(word, "\n") {
				t.Errorf("%q in %+v", word, s)
			}
		}
		card := modeldir.Card(modeldir.CardInput{Parents: []modeldir.Parent{{Name: "x", Hub: "org/x", States: s}}})
		if utf8.ValidString(text) {
			front(t, card)
		}
	})
}

// No path gets into a card.
func FuzzCard(f *testing.F) {
	f.Add("/home/", "x", "--a=")
	f.Add(`C:\`, "\n# ", "\\")
	f.Fuzz(func(t *testing.T, before, after, arg string) {
		const folder = "/sEcReT/"
		path := before + folder + after
		if strings.Contains(before, "://") {
			return
		}
		spelt, err := json.Marshal(path)
		if err != nil {
			t.Fatal(err)
		}
		card := modeldir.Card(modeldir.CardInput{
			Title: path, Version: path, Args: []string{path, arg + folder},
			Parents: []modeldir.Parent{{Name: path, Hub: path, Digest: path, States: modeldir.Statement{License: path, LicenseName: path, LicenseLink: path}}},
			Recipe:  []byte("base_model: " + string(spelt) + "\nmodels: [{model: " + string(spelt) + "}]\n"),
			Scores:  &modeldir.Table{Note: path, Columns: []string{"a"}, Rows: []modeldir.Row{{Name: path, Cells: []string{path}}, {Name: "found", Cells: []string{"1"}}}},
		})
		if bytes.Contains(card, []byte("sEcReT")) {
			t.Errorf("%q is in\n%s", path, card)
		}
	})
}
