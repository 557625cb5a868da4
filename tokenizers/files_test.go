package tokenizers

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFilesThatDoNotChange(t *testing.T) {
	files := map[string]string{
		"tokenizer.json": "{ \"model\":\n\n{\"vocab\":{\"a\":1, \"b\":0}} }", "tokenizer_config.json": `{"pad_token": "<pad>", "model_max_length": 1e30}`,
		"tokenizer.model": "\x00\xff", "chat_template.jinja": "{{ x }}",
	}
	tok := loaded(t, files)
	u, err := Unite(Request{Models: []Model{{"m", tok, 3}}, Base: "m", Source: "union"})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for name, data := range u.Files {
		got[name] = string(data)
	}
	if diff := cmp.Diff(files, got); diff != "" {
		t.Error(diff)
	}
	if u.IDs["<pad>"] != 2 {
		t.Errorf("%v", u.IDs)
	}
}

// The layout of what stands there is kept, and followed by what is added.
func TestFilesThatChange(t *testing.T) {
	other := loaded(t, map[string]string{"tokenizer.json": `{"added_tokens":[{"id":1,"content":"<\"x\">","special":true}],"model":{"vocab":{"q":0}}}`})
	for _, k := range []struct {
		name string
		rows int
		old  map[string]string
		want map[string]string
	}{
		{"compact", 2, map[string]string{
			"tokenizer.json": `{"added_tokens":[{"id":1,"content":"<s>"}],"model":{"vocab":{"a":0}},"é":"<&>"}`,
		}, map[string]string{
			"tokenizer.json": `{"added_tokens":[{"id":1,"content":"<s>"},{"id":2,"content":"q","single_word":false,"lstrip":false,"rstrip":false,"normalized":true,"special":false},{"id":3,"content":"<\"x\">","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],"model":{"vocab":{"a":0}},"é":"<&>"}`,
		}},
		{"pretty, nothing added before", 1, map[string]string{
			"tokenizer.json":        "{\n  \"added_tokens\": [],\n  \"model\": {\"vocab\": {\"a\": 0}}\n}\n",
			"tokenizer_config.json": "{\n  \"added_tokens_decoder\": {}\n}",
			"added_tokens.json":     "{\n}",
		}, map[string]string{
			"tokenizer.json": `{
  "added_tokens": [
    {
      "id": 1,
      "content": "q",
      "single_word": false,
      "lstrip": false,
      "rstrip": false,
      "normalized": true,
      "special": false
    },
    {
      "id": 2,
      "content": "<\"x\">",
      "single_word": false,
      "lstrip": false,
      "rstrip": false,
      "normalized": false,
      "special": true
    }
  ],
  "model": {"vocab": {"a": 0}}
}
`,
			"tokenizer_config.json": `{
  "added_tokens_decoder": {
    "1": {
      "content": "q",
      "single_word": false,
      "lstrip": false,
      "rstrip": false,
      "normalized": true,
      "special": false
    },
    "2": {
      "content": "<\"x\">",
      "single_word": false,
      "lstrip": false,
      "rstrip": false,
      "normalized": false,
      "special": true
    }
  }
}`,
			"added_tokens.json": "{\n  \"q\": 1,\n  \"<\\\"x\\\">\": 2\n}",
		}},
		{"no list of added tokens", 1, map[string]string{"tokenizer.json": `{"model":{"vocab":{"<\"x\">":0}}}`},
			map[string]string{"tokenizer.json": `{"added_tokens":[{"id":0,"content":"<\"x\">","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true},{"id":1,"content":"q","single_word":false,"lstrip":false,"rstrip":false,"normalized":true,"special":false}],"model":{"vocab":{"<\"x\">":0}}}`}},
		{"cut", 4, map[string]string{
			"tokenizer.json":        `{"added_tokens":[{"id":5,"content":"<s>"}],"model":{"continuing_subword_prefix":"##","vocab":{"a":0, "q":1, "<\"x\">":2, "##b":3, "ab":4},"merges":["a ##b",["a","q"],["ab","q"]]}}`,
			"tokenizer_config.json": `{"added_tokens_decoder":{"5": {"content":"<s>"}}}`,
			"added_tokens.json":     `{"<s>": 5}`,
		}, map[string]string{
			"tokenizer.json":        `{"added_tokens":[{"id":2,"content":"<\"x\">","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],"model":{"continuing_subword_prefix":"##","vocab":{"a":0, "q":1, "<\"x\">":2, "##b":3},"merges":[["a","q"]]}}`,
			"tokenizer_config.json": `{"added_tokens_decoder":{}}`,
			"added_tokens.json":     `{}`,
		}},
		{"pieces", 3, map[string]string{"tokenizer.json": `{"model":{"vocab":[["q",0],["a",-1],["<\"x\">",-2],["b",-3]],"unk_id":0}}`},
			map[string]string{"tokenizer.json": `{"added_tokens":[{"id":2,"content":"<\"x\">","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],"model":{"vocab":[["q",0],["a",-1],["<\"x\">",-2]],"unk_id":0}}`}},
		{"vocab.json", 2, map[string]string{"vocab.json": `{"a":0}`, "merges.txt": "", "tokenizer_config.json": `{"pad_token":"<p>"}`},
			map[string]string{"vocab.json": `{"a":0}`, "merges.txt": "", "tokenizer_config.json": `{"pad_token":"<p>"}`, "added_tokens.json": "{\n  \"<p>\": 1,\n  \"q\": 2,\n  \"<\\\"x\\\">\": 3\n}"}},
		{"vocab.txt", 2, map[string]string{"vocab.txt": "a\nb\n", "tokenizer_config.json": `{"added_tokens_decoder":{"0":{"content":"a"}}}`},
			map[string]string{"vocab.txt": "a\nb\n", "tokenizer_config.json": `{"added_tokens_decoder":{"0":{"content":"a"},"2":{"content":"q","single_word":false,"lstrip":false,"rstrip":false,"normalized":true,"special":false},"3":{"content":"<\"x\">","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}}}`}},
	} {
		t.Run(k.name, func(t *testing.T) {
			u, err := Unite(Request{Models: []Model{{"m", loaded(t, k.old), k.rows}, {"o", other, 2}}, Base: "m", Source: "union"})
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for name, data := range u.Files {
				got[name] = string(data)
			}
			if diff := cmp.Diff(k.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(u.IDs, loaded(t, got).Tokens()); diff != "" {
				t.Errorf("(-said +read)\n%s", diff)
			}
		})
	}
}

func TestOnlyTokenizerJSONIsCut(t *testing.T) {
	tok := loaded(t, map[string]string{"vocab.txt": "a\nb\nc\n"})
	_, err := Unite(Request{Models: []Model{{"m", tok, 2}}, Base: "m", Source: "base"})
	if err == nil || !strings.Contains(err.Error(), `vocab.txt: token "c" has id 2, beyond the embedding's 2 rows, and only a tokenizer.json can be cut`) {
		t.Error(err)
	}
}

func TestPiecesTwiceAreNotCut(t *testing.T) {
	tok := loaded(t, map[string]string{"tokenizer.json": `{"model":{"vocab":[["a",0],["b",-1],["a",-2]],"unk_id":0}}`})
	_, err := Unite(Request{Models: []Model{{"m", tok, 2}}, Base: "m", Source: "base"})
	if err == nil || !strings.Contains(err.Error(), `the piece "a" stands twice, so the vocabulary cannot be cut to the embedding's 2 rows`) {
		t.Error(err)
	}
}

// What the settings name and the output lacks is said.
func TestNoteOfNamedToken(t *testing.T) {
	tok := loaded(t, map[string]string{"tokenizer.json": wordLevel(abc, "3 <pad>"), "tokenizer_config.json": `{"pad_token":"<pad>"}`})
	u, err := Unite(Request{Models: []Model{{"m", tok, 3}}, Base: "m", Source: "base"})
	if err != nil {
		t.Fatal(err)
	}
	if len(u.Notes) != 2 || !strings.Contains(u.Notes[1], `pad_token "<pad>" has no row in the output`) {
		t.Errorf("%q", u.Notes)
	}
}
