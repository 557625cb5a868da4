package evaluate

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mergevo/mergevo/tokenizers/encode"
)

// example is a line of a file.
type example struct {
	line      int
	key       Key
	rank      uint64
	sequences []Sequence
	label     int
	gold      float64
	answer    string
	prompt    string
}

type textReader struct {
	task       Task
	tok        *encode.Tokenizer
	longest    int
	vocabulary int
	head       *Head
	names      []string
}

func (r *textReader) example(data []byte) (e example, err error) {
	var row map[string]json.RawMessage
	if err := json.Unmarshal(data, &row); err != nil {
		return e, fmt.Errorf("not a JSON object: %w", err)
	}
	var shown []string // what the example is known by
	text := func(key string) (s string) {
		raw, ok := row[key]
		switch {
		case err != nil:
		case !ok:
			err = fmt.Errorf("no key %q; it has %s", key, keysOf(row))
		default:
			if json.Unmarshal(raw, &s) != nil {
				err = fmt.Errorf("%q is not a text", key)
			}
		}
		shown = append(shown, s)
		return s
	}
	t := r.task
	switch t.Kind {
	case Classification:
		e.sequences = []Sequence{r.sequence(r.tok.Truncated(text(t.Text), r.longest))}
		if err == nil {
			e.label, err = r.label(row)
		}
	case STS:
		for _, key := range []string{t.Text, t.Second} {
			e.sequences = append(e.sequences, r.sequence(r.tok.Truncated(text(key), r.longest)))
		}
		if err == nil {
			if json.Unmarshal(row[t.Label], &e.gold) != nil {
				err = fmt.Errorf("%q is not a number", t.Label)
			}
		}
	case PerplexityKind:
		whole, prompt := text(t.Text), ""
		if t.Prompt != "" {
			prompt = text(t.Prompt)
			if err == nil && !strings.HasPrefix(whole, prompt) {
				err = fmt.Errorf("%q does not begin with %q", t.Text, t.Prompt)
			}
		}
		if err == nil {
			e.sequences = r.windows(whole, prompt)
		}
	case Generate:
		e.prompt = text(t.Prompt)
		ids, fault := r.prompt(e.prompt)
		err = cmp.Or(err, fault)
		if over := len(ids) - r.longest; over > 0 {
			ids = ids[over:]
		}
		e.sequences, e.answer = []Sequence{r.sequence(ids)}, text(t.Label)
	case Choice:
		var options []string
		prompt := text(t.Prompt)
		if err == nil && t.Chat != nil {
			prompt, err = t.Chat(prompt)
		}
		if err == nil && json.Unmarshal(row[t.Choices], &options) != nil || err == nil && len(options) < 2 {
			err = fmt.Errorf("%q is not a list of two or more texts; the example has %s", t.Choices, keysOf(row))
		}
		if err == nil {
			e.label, err = whole(row, t.Label, len(options))
		}
		for _, o := range options {
			e.sequences = append(e.sequences, r.option(prompt, o))
			shown = append(shown, o)
		}
	}
	sum := sha256.Sum256([]byte(strings.Join(shown, "\x00")))
	e.key, e.rank = Key(sum[:16]), sampleRank(sum, t.SampleSeed)
	return e, err
}

// prompt is what stands before what is written. A chat template has the special tokens
// in its text.
func (r *textReader) prompt(text string) ([]int, error) {
	if r.task.Chat == nil {
		return r.tok.Encode(text), nil
	}
	text, err := r.task.Chat(text)
	return r.tok.Plain(text), err
}

func (r *textReader) sequence(ids []int) Sequence {
	q := Sequence{IDs: make([]int32, len(ids))}
	for i, id := range ids {
		q.IDs[i] = int32(id)
	}
	if len(ids) == 0 {
		q.IDs = []int32{0} // an empty text without special tokens
	}
	return q
}

// windows cuts a text into sequences of which each token after the first counts once,
// those of the prompt not at all.
func (r *textReader) windows(text, prompt string) (out []Sequence) {
	ids := r.tok.Encode(text)
	from := 1
	if prompt != "" {
		from = max(1, len(r.tok.Encode(prompt)))
	}
	for at := 0; at < len(ids)-1; at += r.longest - 1 {
		end := min(at+r.longest, len(ids))
		q := r.sequence(ids[at:end])
		q.From = max(1, from-at)
		if q.From < len(q.IDs) {
			out = append(out, q)
		}
	}
	return out
}

// option is a prompt with one of its answers behind a space, of which the answer's
// tokens count, split as lm-evaluation-harness 0.4.13 splits them, with the special tokens
// of its tokenizer; the prompt is cut on the left where both are too long.
func (r *textReader) option(prompt, answer string) Sequence {
	bare := strings.TrimRightFunc(prompt, isPythonSpace)
	rest := prompt[len(bare):] + " " + answer
	if r.task.Chat != nil { // the answer begins where the template says so
		rest = prompt[len(bare):] + answer
	}
	if r.task.Delimiter != nil {
		rest = prompt[len(bare):] + *r.task.Delimiter + answer
	}
	var ids []int
	from := 0
	if bare != "" {
		ids, from = r.encoded(bare+rest), len(r.encoded(bare))
	}
	if from == 0 { // nothing before: the model's first token, which may be the answer's own
		ids, from = r.tok.Plain(bare+rest), 1
		if start, _ := r.start(); len(ids) == 0 || ids[0] != start {
			ids = append([]int{start}, ids...)
		}
	}
	from = min(from, len(ids))
	if over := len(ids) - r.longest; over > 0 {
		ids, from = ids[over:], max(1, from-over)
	}
	q := r.sequence(ids)
	q.From, q.Chars = from, utf8.RuneCountInString(answer)
	return q
}

// encoded is a text's ids with special tokens, if it does not begin with them already.
func (r *textReader) encoded(text string) []int {
	if id, ok := r.start(); ok {
		if first, _ := r.tok.Token(id); strings.HasPrefix(text, first) {
			return r.tok.Plain(text)
		}
	}
	return r.tok.Encode(text)
}

// isPythonSpace is what Python's str.rstrip takes off.
func isPythonSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1C && r <= 0x1F }

// start is the id that begins a text, bos_token or eos_token, and whether there is one.
func (r *textReader) start() (id int, ok bool) {
	for _, key := range []string{"bos_token", "eos_token"} {
		if text, ok := r.tok.Vocabulary().Named(key); ok {
			if id, ok := r.tok.ID(text); ok {
				return id, true
			}
		}
	}
	return 0, false
}

// label reads a class by number or by name.
func (r *textReader) label(row map[string]json.RawMessage) (int, error) {
	var name string
	if json.Unmarshal(row[r.task.Label], &name) == nil {
		at := slices.Index(r.names, name)
		if at < 0 {
			return 0, fmt.Errorf("the class %q is not among the head's: %s", name, cmp.Or(strings.Join(r.names, ", "), "there is no .labels.json beside it"))
		}
		return at, nil
	}
	return whole(row, r.task.Label, r.head.Classes)
}

// whole reads a number from 0 to n-1.
func whole(row map[string]json.RawMessage, key string, n int) (int, error) {
	raw, ok := row[key]
	if !ok {
		return 0, fmt.Errorf("no key %q; it has %s", key, keysOf(row))
	}
	var i int
	if err := json.Unmarshal(raw, &i); err != nil {
		return 0, fmt.Errorf("%q is %s, want a whole number", key, raw)
	}
	if i < 0 || i >= n {
		return 0, fmt.Errorf("%q is %d, there are %d", key, i, n)
	}
	return i, nil
}

func keysOf(row map[string]json.RawMessage) string {
	var keys []string
	for k := range row {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return strings.Join(keys, ", ")
}
