package encode

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/mergevo/mergevo/tokenizers"
)

// modelKeys are the keys of all models but their vocabularies.
type modelKeys struct {
	UnkToken                *string           `json:"unk_token"`
	UnkID                   *int              `json:"unk_id"`
	ContinuingSubwordPrefix *string           `json:"continuing_subword_prefix"`
	EndOfWordSuffix         *string           `json:"end_of_word_suffix"`
	MaxInputCharsPerWord    int               `json:"max_input_chars_per_word"`
	FuseUnk                 bool              `json:"fuse_unk"`
	ByteFallback            bool              `json:"byte_fallback"`
	IgnoreMerges            bool              `json:"ignore_merges"`
	Dropout                 *float64          `json:"dropout"`
	Merges                  []json.RawMessage `json:"merges"`
	Vocab                   json.RawMessage   `json:"vocab"`
}

func parseModel(v *tokenizers.Tokenizer, raw json.RawMessage) (model, error) {
	var k modelKeys
	if err := json.Unmarshal(raw, &k); err != nil {
		return nil, err
	}
	if v.Kind() == "Unigram" {
		return newUnigram(k)
	}
	// Files from before 2020 keep added tokens apart, so the vocabulary of the model
	// is read again without them.
	vocab := map[string]int{}
	if len(k.Vocab) > 0 {
		if err := json.Unmarshal(k.Vocab, &vocab); err != nil {
			return nil, fmt.Errorf("vocab: %w", err)
		}
	} else {
		vocab = v.Tokens()
	}
	unk := -1
	if k.UnkToken != nil {
		id, ok := vocab[*k.UnkToken]
		if !ok && v.Kind() != "BPE" {
			return nil, fmt.Errorf("unk_token %q is not in the vocabulary", *k.UnkToken)
		}
		if ok {
			unk = id
		}
	}
	switch v.Kind() {
	case "WordPiece":
		if unk < 0 {
			return nil, errors.New("WordPiece needs an unk_token")
		}
		return &wordPiece{vocab: vocab, unk: unk, prefix: or(k.ContinuingSubwordPrefix, "##"), longest: max(k.MaxInputCharsPerWord, 1)}, nil
	case "WordLevel":
		return wordLevel{vocab, unk}, nil
	case "BPE":
		return newBPE(k, vocab, unk)
	}
	return nil, unknown(v.Kind())
}

func or(s *string, otherwise string) string {
	if s == nil {
		return otherwise
	}
	return *s
}

// wordLevel knows whole words only.
type wordLevel struct {
	vocab map[string]int
	unk   int
}

func (m wordLevel) ids(word string) []int {
	id, ok := m.vocab[word]
	switch {
	case ok:
		return []int{id}
	case m.unk >= 0:
		return []int{m.unk}
	}
	return nil
}

// wordPiece takes the longest token at each place; a word with a place where none
// fits is unknown as a whole.
type wordPiece struct {
	vocab   map[string]int
	unk     int
	prefix  string
	longest int // characters of a word
}

func (m *wordPiece) ids(word string) []int {
	if utf8.RuneCountInString(word) > m.longest {
		return []int{m.unk}
	}
	var out []int
	for at := 0; at < len(word); {
		prefix := ""
		if at > 0 {
			prefix = m.prefix
		}
		to, found := len(word), -1
		for ; to > at; to-- {
			if to < len(word) && !utf8.RuneStart(word[to]) {
				continue
			}
			if id, ok := m.vocab[prefix+word[at:to]]; ok {
				found = id
				break
			}
		}
		if found < 0 {
			return []int{m.unk}
		}
		out = append(out, found)
		at = to
	}
	return out
}

// byteTokens are the ids of <0x00> to <0xFF>, -1 for those that the vocabulary lacks.
func byteTokens(id func(string) (int, bool)) (t [256]int) {
	for b := range t {
		t[b] = -1
		if i, ok := id(fmt.Sprintf("<0x%02X>", b)); ok {
			t[b] = i
		}
	}
	return t
}

// fallback returns the ids of a text's bytes, or false where one has none.
func fallback(t *[256]int, text string) ([]int, bool) {
	var out []int
	for i := range len(text) {
		if t[text[i]] < 0 {
			return nil, false
		}
		out = append(out, t[text[i]])
	}
	return out, true
}
