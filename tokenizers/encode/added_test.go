package encode_test

import (
	"slices"
	"testing"

	"github.com/mergevo/mergevo/tokenizers/encode"
)

// Added tokens that take space along beside others that are space, and words behind space that
// a normalizer drops, have the ids that tokenizers 0.23.3 gives.
func TestAddedTokens(t *testing.T) {
	tok, err := encode.Load(folder(t, map[string]string{"tokenizer.json": `{
		"added_tokens": [
			{"id": 0, "content": "\t", "rstrip": true, "lstrip": false, "single_word": false, "normalized": false, "special": false},
			{"id": 1, "content": "\n", "rstrip": false, "lstrip": true, "single_word": false, "normalized": false, "special": false}],
		"normalizer": {"type": "Strip", "strip_left": true, "strip_right": false},
		"pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": true},
		"model": {"type": "BPE", "vocab": {"\t": 0, "\n": 1, "a": 2, "▁": 3}, "merges": []}}`}))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]int{
		"a\t\ta": {3, 2, 0, 0, 2}, // the second begins in what the first takes along
		"a\t\na": {3, 2, 0, 2},    // and the line's end is taken whole
		"a \na":  {3, 2, 1, 2},
		"a a":    {3, 2, 3, 2},
		" a":     {2}, // the text does not begin with the word
	} {
		if got := tok.Plain(text); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
