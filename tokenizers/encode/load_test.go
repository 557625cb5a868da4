package encode_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/tokenizers/encode"
)

func folder(t *testing.T, files map[string]string) string {
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Folders of before tokenizer.json have the stages of BERT's and GPT-2's tokenizers.
func TestOldFolders(t *testing.T) {
	bert, err := encode.Load(folder(t, map[string]string{"vocab.txt": "[PAD]\n[UNK]\n[CLS]\n[SEP]\nun\n##aff\n##able\n!\n"}))
	if err != nil {
		t.Fatal(err)
	}
	if got := bert.Encode("UNAFFABLE!"); !slices.Equal(got, []int{2, 4, 5, 6, 7, 3}) {
		t.Errorf("vocab.txt: %v", got)
	}
	if ids, segments := bert.Pair("un", "!"); !slices.Equal(ids, []int{2, 4, 3, 7, 3}) || !slices.Equal(segments, []int{0, 0, 0, 1, 1}) {
		t.Errorf("a pair: %v %v", ids, segments)
	}
	if got := bert.Truncated("un ! un ! un", 4); !slices.Equal(got, []int{2, 4, 7, 3}) {
		t.Errorf("truncated: %v", got)
	}
	cased, err := encode.Load(folder(t, map[string]string{"vocab.txt": "[UNK]\nun\n", "tokenizer_config.json": `{"do_lower_case": false}`}))
	if err != nil {
		t.Fatal(err)
	}
	if got := cased.Plain("UN un"); !slices.Equal(got, []int{0, 1}) {
		t.Errorf("cased: %v", got)
	}
	gpt, err := encode.Load(folder(t, map[string]string{"vocab.json": `{"a": 0, "b": 1, "Ġ": 2, "ab": 3, "Ġab": 4}`, "merges.txt": "#version: 0.2\na b\nĠ ab\n"}))
	if err != nil {
		t.Fatal(err)
	}
	if got := gpt.Encode("ab ab b"); !slices.Equal(got, []int{3, 4, 2, 1}) || gpt.Decode(got, true) != "ab ab b" {
		t.Errorf("vocab.json: %v %q", got, gpt.Decode(got, true))
	}
}

func TestRefusals(t *testing.T) {
	const vocab = `"vocab": {"a": 0, "b": 1}`
	for _, c := range []struct{ file, want string }{
		{`{"model": {"type": "BPE", ` + vocab + `, "merges": ["a b"]}}`, `merge 0: "a" and "b", or what they make, are not in the vocabulary`},
		{`{"model": {"type": "BPE", ` + vocab + `, "merges": ["ab"]}}`, "is not two tokens"},
		{`{"model": {"type": "BPE", "dropout": 0.1, ` + vocab + `, "merges": []}}`, "dropout 0.1"},
		{`{"model": {"type": "WordPiece", "unk_token": "?", ` + vocab + `}}`, `unk_token "?" is not in the vocabulary`},
		{`{"model": {"type": "Unigram", "unk_id": 7, "vocab": [["a", 0.0]]}}`, "unk_id is not in the vocabulary"},
		{`{"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAEAAA=="}, "model": {"type": "BPE", ` + vocab + `, "merges": []}}`, "precompiled_charsmap is cut off"},
		{`{"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated"}, "model": {"type": "BPE", ` + vocab + `, "merges": []}}`, "pre_tokenizer"},
		{`{"pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "Sideways"}, "model": {"type": "BPE", ` + vocab + `, "merges": []}}`, `behavior "Sideways" is not known`},
		{`{"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}]}, "model": {"type": "BPE", ` + vocab + `, "merges": []}}`, `names the special token "<s>"`},
		{`{"decoder": {"type": "CTC"}, "model": {"type": "BPE", ` + vocab + `, "merges": []}}`, `decoder: type "CTC" is not known`},
	} {
		_, err := encode.Load(folder(t, map[string]string{"tokenizer.json": c.file}))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\ngot  %v\nwant %s", c.file, err, c.want)
		}
	}
}

// FuzzEncode holds that no text makes a tokenizer panic, and that what byte-level
// tokenizers encode they decode again.
func FuzzEncode(f *testing.F) {
	var all []*encode.Tokenizer
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		t, err := encode.Load(file)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, t)
	}
	llama3 := slices.IndexFunc(files, func(s string) bool { return strings.Contains(s, "llama3") })
	for _, text := range []string{"", "a b", "<s> x\xff\n", "ﬁ①▁é"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, tok := range all {
			tok.Decode(tok.Encode(text), false)
		}
		valid := strings.ToValidUTF8(text, "\uFFFD")
		if got := all[llama3].Decode(all[llama3].Plain(text), false); got != valid {
			t.Errorf("%q comes back as %q", valid, got)
		}
	})
}
