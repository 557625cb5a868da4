package evaluate

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/tokenizers/encode"
)

// Sequence is token ids that go through a model at once.
type Sequence struct {
	IDs []int32
	// From is the first token whose likelihood counts, Chars the length of their text.
	From, Chars int
}

// longestByDefault bounds sequences in tokens where a task has no max_length.
const longestByDefault = 512

// IsText reports whether a task's data are lines of JSON with texts.
func (t *Task) IsText() bool { return strings.HasSuffix(t.Data, ".jsonl") }

// LoadTexts reads a task's examples from lines of JSON, tokenizes them, and shares
// them out by its split, as [Load] does with tensors.
func LoadTexts(t Task, m *models.Text, tok *encode.Tokenizer) (parts [3]*Dataset, err error) {
	fail := func(format string, args ...any) ([3]*Dataset, error) {
		return parts, fmt.Errorf("task %s: "+format, append([]any{t.Name}, args...)...)
	}
	longest := cmp.Or(t.MaxLength, longestByDefault)
	if m.Positions > 0 {
		if t.MaxLength > m.Positions {
			return fail("max_length is %d, the model takes %d tokens", t.MaxLength, m.Positions)
		}
		longest = min(longest, m.Positions)
	}
	r := textReader{task: t, tok: tok, longest: longest, vocabulary: m.Vocabulary}
	switch {
	case t.Kind == Classification && t.Head == "":
		return fail("texts are classified through a head: name its file with head")
	case t.Kind == Classification:
		if r.head, err = LoadHead(t.Head, m.Width); err != nil {
			return fail("%w", err)
		}
		if r.names, err = labelNames(t.Head); err != nil {
			return fail("%w", err)
		}
	case t.Kind != STS && m.Logits == nil:
		return fail("%s needs a model that predicts tokens; this one is an encoder", t.Kind)
	}
	var writing *Writing
	if t.Kind == Generate {
		if writing, err = t.writing(tok, longest); err != nil {
			return fail("%w", err)
		}
		r.longest = longest - writing.MaxTokens
	}
	all, err := r.read()
	if err != nil {
		return fail("%w", err)
	}
	if t.Limit > 0 && t.Limit < len(all) {
		slices.SortStableFunc(all, func(a, b example) int { return cmp.Compare(a.rank, b.rank) })
		all = all[:t.Limit]
		slices.SortFunc(all, func(a, b example) int { return a.line - b.line })
	}
	for _, e := range all {
		part, ok := t.Split.part(splitPlace(e.key))
		if !ok {
			continue
		}
		d := parts[part]
		if d == nil {
			d = &Dataset{Name: t.Name, Kind: t.Kind, Metric: t.Metric, Head: r.head, Pooling: t.Pooling, Writing: writing, Decode: func(ids []int32) string {
				list := make([]int, len(ids))
				for i, id := range ids {
					list[i] = int(id)
				}
				return tok.Decode(list, true)
			}}
			parts[part] = d
		}
		d.Sequences = append(d.Sequences, e.sequences...)
		d.Options = append(d.Options, len(e.sequences))
		d.Labels = append(d.Labels, int32(e.label))
		d.Gold = append(d.Gold, e.gold)
		d.Answers = append(d.Answers, e.answer)
		d.Keys = append(d.Keys, e.key)
	}
	return parts, nil
}

// labelNames reads the names of a head's classes, NAME.labels.json beside
// NAME.safetensors; none is no error.
func labelNames(head string) ([]string, error) {
	path := strings.TrimSuffix(head, ".safetensors") + ".labels.json"
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil
	}
	var list []string
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("%s: want a list of names: %w", path, err)
	}
	return list, nil
}

// example is a line of a file.
type example struct {
	line      int
	key       Key
	rank      uint64
	sequences []Sequence
	label     int
	gold      float64
	answer    string
}

type textReader struct {
	task       Task
	tok        *encode.Tokenizer
	longest    int
	vocabulary int
	head       *Head
	names      []string
}

// longestLine bounds a line of a file, in bytes.
const longestLine = 64 << 20

func (r *textReader) read() ([]example, error) {
	f, err := os.Open(r.task.Data)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []example
	s := bufio.NewScanner(f)
	s.Buffer(nil, longestLine)
	for line := 1; s.Scan(); line++ {
		data := bytes.TrimSpace(s.Bytes())
		if len(data) == 0 {
			continue
		}
		e, err := r.example(data)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", r.task.Data, line, err)
		}
		if r.task.Kind == Classification && !r.task.keepsLabel(e.label) {
			continue
		}
		for _, q := range e.sequences {
			for _, id := range q.IDs {
				if int(id) >= r.vocabulary {
					return nil, fmt.Errorf("%s:%d: token %d is beyond the model's %d: is this its tokenizer?", r.task.Data, line, id, r.vocabulary)
				}
			}
		}
		e.line = line
		all = append(all, e)
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", r.task.Data, err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: no examples", r.task.Data)
	}
	return all, nil
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
		ids := r.tok.Encode(text(t.Prompt))
		if over := len(ids) - r.longest; over > 0 {
			ids = ids[over:]
		}
		e.sequences, e.answer = []Sequence{r.sequence(ids)}, text(t.Label)
	case Choice:
		var options []string
		prompt := text(t.Prompt)
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
// tokens count, split as lm-evaluation-harness splits them; the prompt is cut on the
// left where both are too long.
func (r *textReader) option(prompt, answer string) Sequence {
	bare := strings.TrimRight(prompt, " \t\n\r")
	rest := prompt[len(bare):] + " " + answer
	if r.task.Delimiter != nil {
		rest = prompt[len(bare):] + *r.task.Delimiter + answer
	}
	ids := r.tok.Plain(bare + rest)
	from := len(r.tok.Plain(bare))
	if bare == "" || from == 0 { // nothing before: the model's first token, as the harness does
		ids, from = append([]int{r.start()}, ids...), 1
	}
	from = min(from, len(ids))
	if over := len(ids) - r.longest; over > 0 {
		ids, from = ids[over:], max(1, from-over)
	}
	q := r.sequence(ids)
	q.From, q.Chars = from, utf8.RuneCountInString(answer)
	return q
}

// start is the id that begins a text: bos_token, else eos_token, else 0.
func (r *textReader) start() int {
	for _, key := range []string{"bos_token", "eos_token"} {
		if text, ok := r.tok.Vocabulary().Named(key); ok {
			if id, ok := r.tok.ID(text); ok {
				return id
			}
		}
	}
	return 0
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
