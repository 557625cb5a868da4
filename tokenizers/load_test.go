package tokenizers

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wordLevel is a tokenizer.json with this vocabulary and these added tokens, as
// "id text" each.
func wordLevel(vocab string, added ...string) string {
	var list []string
	for _, a := range added {
		id, text, _ := strings.Cut(a, " ")
		list = append(list, fmt.Sprintf(`{"id":%s,"content":%q,"single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}`, id, text))
	}
	return `{"version":"1.0","added_tokens":[` + strings.Join(list, ",") + `],"model":{"type":"WordLevel","vocab":` + vocab + `,"unk_token":"<unk>"}}`
}

const abc = `{"<unk>":0,"a":1,"b":2}`

// TestIDs holds ids to those of tokenizers 0.23 and transformers 5.23, for files
// that agree with themselves and files that do not.
func TestIDs(t *testing.T) {
	const tj, tc = "tokenizer.json", "tokenizer_config.json"
	plain := wordLevel(abc, "0 <unk>")
	zed := `{"added_tokens_decoder":{"6":{"content":"foo","special":true},"3":{"content":"zed","special":true}}}`
	for _, k := range []struct {
		name  string
		files map[string]string
		more  map[string]int // beside <unk>, a, b; -1 takes one away
		size  int
	}{
		{"gap before an added token", map[string]string{tj: wordLevel(abc, "0 <unk>", "5 <x>")}, map[string]int{"<x>": 3}, 4},
		{"gap in the vocabulary", map[string]string{tj: wordLevel(`{"<unk>":0,"a":1,"b":4}`)}, map[string]int{"b": 4}, 3},
		{"gap in the vocabulary, then an added token", map[string]string{tj: wordLevel(`{"<unk>":0,"a":1,"b":4}`, "5 <x>")}, map[string]int{"b": 4, "<x>": 3}, 4},
		{"an added token falls on another", map[string]string{tj: wordLevel(`{"<unk>":0,"a":1,"b":3}`, "2 <x>")}, map[string]int{"b": 3, "<x>": 3}, 4},
		{"an added token with the id of another", map[string]string{tj: wordLevel(abc, "2 <x>")}, map[string]int{"<x>": 3}, 4},
		{"an added token of the vocabulary with another id", map[string]string{tj: wordLevel(abc, "7 a")}, nil, 3},
		{"an added token twice", map[string]string{tj: wordLevel(abc, "3 x", "4 x", "5 y")}, map[string]int{"x": 3, "y": 4}, 5},
		{"added tokens in another order", map[string]string{tj: wordLevel(abc, "4 y", "3 x")}, map[string]int{"y": 3, "x": 4}, 5},
		{"two tokens with one id", map[string]string{tj: wordLevel(`{"<unk>":0,"a":1,"b":1}`)}, map[string]int{"b": 1}, 3},
		{"added_tokens_decoder", map[string]string{tj: plain, tc: zed, "special_tokens_map.json": `{"pad_token":"<B>"}`, "added_tokens.json": `{"q":4}`}, map[string]int{"zed": 3, "foo": 4}, 5},
		{"added_tokens_decoder and special tokens", map[string]string{tj: plain, tc: `{"added_tokens_decoder":{"3":{"content":"zed"}},"pad_token":"<p>","additional_special_tokens":["<q>"]}`}, map[string]int{"zed": 3, "<p>": 4, "<q>": 5}, 6},
		{"special tokens", map[string]string{tj: plain, tc: `{"image_token":"i","mask_token":"m","cls_token":{"__type":"AddedToken","content":"c"},"pad_token":"p","sep_token":"s","unk_token":"u","eos_token":"e","bos_token":"bb","add_bos_token":true}`},
			map[string]int{"bb": 3, "e": 4, "u": 5, "s": 6, "p": 7, "c": 8, "m": 9, "i": 10}, 11},
		{"special_tokens_map.json wins", map[string]string{tj: plain, tc: `{"pad_token":"<A>"}`, "special_tokens_map.json": `{"pad_token":"<B>","eos_token":"<E>"}`}, map[string]int{"<E>": 3, "<B>": 4}, 5},
		{"its lists do not", map[string]string{tj: plain, tc: `{"additional_special_tokens":["<q>"]}`, "special_tokens_map.json": `{"additional_special_tokens":["<r>"]}`}, map[string]int{"<q>": 3}, 4},
		{"its lists alone", map[string]string{tj: plain, tc: `{"pad_token":null}`, "special_tokens_map.json": `{"pad_token":"<pad>","additional_special_tokens":["<q>"]}`}, map[string]int{"<pad>": 3, "<q>": 4}, 5},
		{"extra_special_tokens", map[string]string{tj: plain, tc: `{"extra_special_tokens":{"image_token":"<q>"}}`}, map[string]int{"<q>": 3}, 4},
		{"added_tokens.json", map[string]string{tj: plain, tc: `{"pad_token":"<p>"}`, "special_tokens_map.json": `{"eos_token":"<E>"}`, "added_tokens.json": `{"foo":4,"zoo":3}`}, map[string]int{"zoo": 3, "foo": 4, "<E>": 5, "<p>": 6}, 7},
		{"no added_tokens", map[string]string{tj: `{"model":{"vocab":` + abc + `}}`}, nil, 3},
		{"unigram", map[string]string{tj: `{"added_tokens":[{"id":3,"content":"<p>"}],"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0.0],["a",-1e0],["b",-2]]}}`}, map[string]int{"<p>": 3}, 4},
		{"unigram, a piece twice", map[string]string{tj: `{"added_tokens":[{"id":4,"content":"<p>"}],"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0.0],["a",-1],["b",-2],["a",-3]]}}`}, map[string]int{"a": 3, "<p>": 4}, 5},
		{"vocab.json", map[string]string{"vocab.json": abc, "merges.txt": "#version: 0.2\n", "added_tokens.json": `{"<z>":3,"<y>":4}`}, map[string]int{"<z>": 3, "<y>": 4}, 5},
		{"vocab.txt", map[string]string{"vocab.txt": "<unk>\na\nb \r\n\n##c\n"}, map[string]int{"": 3, "##c": 4}, 5},
		{"escapes", map[string]string{tj: wordLevel(`{"<unk>":0,"a":1,"b":2,"\u0120\ud83d\ude00\"\\\/\b\f\n\r\t":3}`)}, map[string]int{"Ġ😀\"\\/\b\f\n\r\t": 3}, 4},
	} {
		t.Run(k.name, func(t *testing.T) {
			want := map[string]int{"<unk>": 0, "a": 1, "b": 2}
			for text, id := range k.more {
				want[text] = id
			}
			tok := loaded(t, k.files)
			if diff := cmp.Diff(want, tok.Tokens()); diff != "" {
				t.Errorf("(-Hugging Face +ours)\n%s", diff)
			}
			if tok.Size() != k.size {
				t.Errorf("size %d, want %d", tok.Size(), k.size)
			}
		})
	}
}

func TestKinds(t *testing.T) {
	for _, k := range []struct{ model, kind string }{
		{`{"type":"BPE","vocab":{"a":0},"merges":[]}`, "BPE"},
		{`{"vocab":{"a":0},"merges":[]}`, "BPE"},
		{`{"vocab":[["a",0]],"unk_id":0}`, "Unigram"},
		{`{"vocab":{"a":0},"unk_token":"a","continuing_subword_prefix":"##"}`, "WordPiece"},
		{`{"vocab":{"a":0},"unk_token":"a"}`, "WordLevel"},
	} {
		if got := loaded(t, map[string]string{"tokenizer.json": `{"model":` + k.model + `}`}).Kind(); got != k.kind {
			t.Errorf("%s: %s", k.model, got)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	const tj = "tokenizer.json"
	good := wordLevel(abc)
	for _, k := range []struct {
		name, file, text, want string
	}{
		{"nothing", "README.md", "", `no tokenizer: file does not exist: tokenizer\.json, vocab\.json with merges\.txt, or vocab\.txt`},
		{"SentencePiece alone", "tokenizer.model", "x", `SentencePiece model without tokenizer\.json; make one with transformers`},
		{"vocab.json alone", "vocab.json", "{}", `merges\.txt is not; download it too`},
		{"a pointer", tj, "version https://git-lfs.github.com/spec/v1\n", `tokenizer\.json:1:1: a Git LFS pointer.*git lfs pull`},
		{"a mark", tj, "\uFEFF{}", `1:1: starts with a byte order mark`},
		{"not UTF-8", tj, "{\n \"a\": \"\xff\"}", `2:8: byte 0xff is not UTF-8`},
		{"a list", tj, "[]", `1:1: must be a JSON object, not '\['`},
		{"empty", tj, "", `1:1: must be a JSON object, not the end of the file`},
		{"cut short", tj, good[:len(good)-20], `:1:\d+: .*the end of the file|no closing quote`},
		{"more follows", tj, good + "x", `'x' follows the end of the JSON`},
		{"no model", tj, "{}", `has no model; download`},
		{"no vocab", tj, `{"model":{}}`, `1:10: the model has no vocab`},
		{"an empty vocabulary", tj, wordLevel("{}"), `the vocabulary is empty`},
		{"an unknown model", tj, `{"model":{"type":"Unigramm","vocab":{}}}`, `1:18: the model's type is "Unigramm"; known: BPE, .*; did you mean "Unigram"\?`},
		{"a token twice", tj, wordLevel("{\"a\":0,\n\"b\":1,\"a\":2}"), `2:7: the token "a" stands twice in the vocabulary, first with id 0`},
		{"a key twice", tj, `{"model":{"vocab":{"a":0}},"model":{}}`, `1:28: the key "model" stands twice`},
		{"a key of the model twice", tj, `{"model":{"vocab":{"a":0},"vocab":{"b":0}}}`, `the key "vocab" stands twice in the model`},
		{"a negative id", tj, wordLevel(`{"a":-1}`), `the token's id must be a whole number from 0 to 2147483647, not '-'`},
		{"a huge id", tj, wordLevel(`{"a":2147483648}`), `whole number`},
		{"a fraction", tj, wordLevel(`{"a":1.5}`), `whole number`},
		{"half a surrogate pair", tj, wordLevel(`{"\ud83d":1}`), `half of a surrogate pair.* in a key of the vocabulary`},
		{"an unknown escape", tj, wordLevel(`{"\x":1}`), `an unknown escape in a key`},
		{"a control character", tj, wordLevel("{\"a\x01\":1}"), `a control character in a key of the vocabulary; write it as \\u0001`},
		{"a flag that is none", tj, `{"added_tokens":[{"id":1,"content":"x","special":1}],"model":{"vocab":{"a":0}}}`, `special must be true or false, not '1'`},
		{"added tokens that are none", tj, `{"added_tokens":{},"model":{"vocab":{"a":0}}}`, `added_tokens must start with \[, not '{'`},
		{"a piece of three", tj, `{"model":{"vocab":[["a",0,1]]}}`, `1:21: a piece of the vocabulary is a token and its score, not 3 values`},
		{"too deep", tj, `{"x":` + strings.Repeat("[", 300) + `}`, `nested more than 200 deep`},
		{"a nameless value", tj, `{"x":nul}`, `want a value, not 'n'`},
	} {
		t.Run(k.name, func(t *testing.T) {
			_, err := Load(written(t, map[string]string{k.file: k.text}))
			if err == nil || !regexp.MustCompile(k.want).MatchString(err.Error()) {
				t.Errorf("%v, want %s", err, k.want)
			}
			if k.name == "nothing" && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v is no fs.ErrNotExist", err)
			}
		})
	}
	for file, k := range map[string]struct{ text, want string }{
		"tokenizer_config.json":   {`{"added_tokens_decoder":{"x":{}}}`, `tokenizer_config\.json:1:26: a key of added_tokens_decoder is a token's id, not "x"`},
		"added_tokens.json":       {`{"x":3,"y":3}`, `added_tokens\.json:1:12: id 3 is given to "x" and to "y"`},
		"special_tokens_map.json": {`{"pad_token":{"content":3}}`, `special_tokens_map\.json:1:25: the token's content must be a string`},
	} {
		_, err := Load(written(t, map[string]string{"tokenizer.json": good, file: k.text}))
		if err == nil || !regexp.MustCompile(k.want).MatchString(err.Error()) {
			t.Errorf("%s: %v, want %s", file, err, k.want)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, tj), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder as tokenizer.json: %v", err)
	}
}

// FuzzLoad holds that no bytes make Load panic, that what it reads is sound, and
// that joining it with itself and another gives files that read back.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(wordLevel(abc, "0 <unk>", "3 <x>")))
	f.Add([]byte(`{"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}}`))
	f.Add([]byte("{\n \"added_tokens\": [],\n \"model\": {\"vocab\": [[\"a\", -1.5], [\"\\u0120\", 0]], \"unk_id\": 0}}"))
	other := loaded(f, map[string]string{"tokenizer.json": wordLevel(`{"x":0,"<unk>":1}`, "2 <im>")})
	f.Fuzz(func(t *testing.T, data []byte) {
		tok, err := load(folder{"dir", map[string][]byte{"tokenizer.json": data}})
		if err != nil {
			return
		}
		if tok.Size() == 0 || tok.Kind() == "" {
			t.Fatalf("size %d, kind %q", tok.Size(), tok.Kind())
		}
		for _, rows := range []int{1, 3, 100} {
			u, err := Unite(Request{Models: []Model{{"a", tok, rows}, {"b", other, 3}}, Base: "a", Source: "union"})
			if err != nil {
				continue
			}
			again, err := load(folder{"dir", u.Files})
			if err != nil {
				t.Fatalf("%v in\n%s", err, u.Files["tokenizer.json"])
			}
			if diff := cmp.Diff(u.IDs, again.tokens); diff != "" {
				t.Fatalf("(-said +read)\n%s\n%s", diff, u.Files["tokenizer.json"])
			}
		}
	})
}
