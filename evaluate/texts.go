package evaluate

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

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
	case t.Features != "":
		return fail("features are for images; texts are classified through a head")
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
	if t.Kind == Choice {
		r.longest++ // the last token is not read: as many are as in lm-evaluation-harness
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
		part, ok := t.Split.Of(e.key)
		if !ok {
			continue
		}
		d := parts[part]
		if d == nil {
			d = &Dataset{Name: t.Name, Kind: t.Kind, Metric: t.Metric, Head: r.head, Classes: r.names, Pooling: cmp.Or(t.Pooling, "mean"), Writing: writing, Decode: func(ids []int32) string {
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
		d.Prompts = append(d.Prompts, e.prompt)
		d.Keys = append(d.Keys, e.key)
	}
	return parts, nil
}

// labelNames reads the names of the classes of a head or of features, NAME.labels.json beside
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
