package encode

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"github.com/mergevo/mergevo/tokenizers"
)

// Tokenizer encodes and decodes. It may be used from several goroutines.
type Tokenizer struct {
	vocabulary *tokenizers.Tokenizer
	tokens     map[int]string
	special    map[int]bool
	raw        matcher // added tokens found in the text as it is
	clean      matcher // and in the normalized text
	normalize  normalizer
	split      splitter
	model      model
	post       template
	decode     []decoder
	words      sync.Map // ids of pieces seen before
}

// model gives a piece of text its ids.
type model interface {
	ids(piece string) []int
}

// piece is a part of a text between added tokens; first is the one that the text
// begins with.
type piece struct {
	text  string
	first bool
}

// file is a tokenizer.json, without what the vocabulary has read.
type file struct {
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
	Model         json.RawMessage `json:"model"`
}

// Load reads the tokenizer of a model's folder, or a tokenizer.json itself. A folder
// with vocab.txt, or vocab.json and merges.txt, gets the stages that BERT's and
// GPT-2's tokenizers have.
func Load(path string) (*Tokenizer, error) {
	v, err := tokenizers.Load(path)
	if err != nil {
		return nil, err
	}
	return New(v)
}

// New makes the encoder of a vocabulary.
func New(v *tokenizers.Tokenizer) (*Tokenizer, error) {
	name, data := v.Source()
	t, err := build(v, name, data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(v.Dir(), name), err)
	}
	return t, nil
}

func build(v *tokenizers.Tokenizer, name string, data []byte) (*Tokenizer, error) {
	var f file
	switch name {
	case "tokenizer.json":
		if err := json.Unmarshal(data, &f); err != nil {
			return nil, err
		}
	case "vocab.txt":
		f = bertStages(v)
	default:
		var err error
		if f, err = gptStages(v.Merges()); err != nil {
			return nil, err
		}
	}
	t := &Tokenizer{vocabulary: v, tokens: map[int]string{}, special: map[int]bool{}}
	for text, id := range v.Tokens() {
		t.tokens[id] = text
	}
	var errs [5]error
	t.normalize, errs[0] = parseNormalizer(f.Normalizer)
	t.split, errs[1] = parseSplitter(f.PreTokenizer)
	t.model, errs[2] = parseModel(v, f.Model)
	t.post, errs[3] = parsePost(f.PostProcessor, v)
	t.decode, errs[4] = parseDecoder(f.Decoder)
	for i, stage := range []string{"normalizer", "pre_tokenizer", "model", "post_processor", "decoder"} {
		if errs[i] != nil {
			return nil, fmt.Errorf("%s: %w", stage, errs[i])
		}
	}
	for _, a := range v.Added() {
		if a.Special {
			t.special[a.ID] = true
		}
		if !a.Normalized {
			t.raw.add(a, a.Text)
			continue
		}
		t.tokens[a.ID] = t.normalize.apply(a.Text) // and so it is decoded
		t.clean.add(a, t.tokens[a.ID])
	}
	return t, nil
}

// Encode returns the ids of a text, with the special tokens that the
// post-processor puts around it.
func (t *Tokenizer) Encode(text string) []int { return t.post.around(t.Plain(text)) }

// Pair returns the ids of two texts as one sequence, and the segment of each.
func (t *Tokenizer) Pair(a, b string) (ids, segments []int) {
	return t.post.pair(t.Plain(a), t.Plain(b))
}

// Plain returns the ids of a text without special tokens around it. Added tokens
// in the text are still found.
func (t *Tokenizer) Plain(text string) []int {
	var ids []int
	text = strings.ToValidUTF8(text, "\uFFFD")
	t.raw.each(piece{text, true}, func(p piece) {
		p.first = p.first && t.normalize.keepsFirst(p.text)
		p.text = t.normalize.apply(p.text)
		t.clean.each(p, func(p piece) {
			for _, word := range t.split.split(p) {
				ids = append(ids, t.word(word)...)
			}
		}, func(id int) { ids = append(ids, id) })
	}, func(id int) { ids = append(ids, id) })
	return ids
}

// longestKept bounds the pieces whose ids are kept, in bytes.
const longestKept = 64

func (t *Tokenizer) word(word string) []int {
	if len(word) > longestKept {
		return t.model.ids(word)
	}
	if known, ok := t.words.Load(word); ok {
		return known.([]int)
	}
	ids := t.model.ids(word)
	t.words.Store(word, ids)
	return ids
}

// Truncated is Encode cut to at most length ids, of which the special tokens stay,
// as transformers cuts on the right.
func (t *Tokenizer) Truncated(text string, length int) []int {
	ids := t.Plain(text)
	if keep := length - t.post.extra(); len(ids) > max(0, keep) {
		ids = ids[:max(0, keep)]
	}
	return t.post.around(ids)
}

// Token returns the text of an id as the vocabulary has it, and whether there is one.
func (t *Tokenizer) Token(id int) (string, bool) {
	text, ok := t.tokens[id]
	return text, ok
}

// ID returns the id of a token's text.
func (t *Tokenizer) ID(text string) (int, bool) { return t.vocabulary.ID(text) }

// Vocabulary returns the tokenizer's vocabulary.
func (t *Tokenizer) Vocabulary() *tokenizers.Tokenizer { return t.vocabulary }

// Decode returns the text of ids; special tokens are left out if skipSpecial.
func (t *Tokenizer) Decode(ids []int, skipSpecial bool) string {
	var texts []string
	for _, id := range ids {
		text, ok := t.tokens[id]
		if !ok || skipSpecial && t.special[id] {
			continue
		}
		texts = append(texts, text)
	}
	return decodeAll(t.decode, texts)
}

// typed is a stage of the file: what its type is, and its other keys.
type typed struct {
	Type string `json:"type"`
}

// kindOf returns the type of a stage, "" for null.
func kindOf(raw json.RawMessage) (string, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	var k typed
	if err := json.Unmarshal(raw, &k); err != nil {
		return "", err
	}
	if k.Type == "" {
		return "", errors.New("has no type")
	}
	return k.Type, nil
}

// unknown is the error for a stage's type that is not one of known.
func unknown(kind string) error {
	return fmt.Errorf("type %q is not known; save the tokenizer with a stage that tokenizers documents, or tokenize the data beforehand", kind)
}
