package programs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/mergevo/mergevo/evaluate"
)

// Score is what a program says of one task.
type Score struct {
	// Value is the score: bigger is better. With examples it is their mean.
	Value float64
	// IDs name the examples, nil where the program says none. Items are their scores,
	// Answers what the model answered, "" where it is not said. Keys, if not nil, are
	// what examples are known by in the place of their IDs.
	IDs     []string
	Items   []float64
	Answers []string
	Keys    []string
	// Named says that the program chose the IDs; else they count the examples.
	Named bool
	// Metric is what Value is, "" where the program does not say.
	Metric string
}

// Answer is a program's: a score, or one for each task that it reports.
type Answer map[string]Score

// Document is the JSON that a program answers with.
type document struct {
	Score    *float64            `json:"score"`
	Examples []example           `json:"examples"`
	Tasks    map[string]document `json:"tasks"`
	Error    string              `json:"error"`
}

type example struct {
	ID     *name    `json:"id"`
	Score  *float64 `json:"score"`
	Answer *name    `json:"answer"`
}

// UnmarshalJSON takes a bare number for an example's score.
func (e *example) UnmarshalJSON(data []byte) error {
	var bare float64
	if string(data) != "null" && json.Unmarshal(data, &bare) == nil {
		e.Score = &bare
		return nil
	}
	type plain example
	return strictly(data, (*plain)(e))
}

// name is a text, or a number as a text.
type name string

func (n *name) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		*n = name(text)
		return nil
	}
	var number json.Number
	if err := json.Unmarshal(data, &number); err != nil {
		return fmt.Errorf("%s is neither a text nor a number", data)
	}
	*n = name(number)
	return nil
}

func strictly(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// meanSlack is how far a score may be from the mean of its examples: what six printed
// digits lose.
const meanSlack = 1e-5

// ParseAnswer reads a program's answer: the whole text, or its last line if that alone
// is JSON. parts are the tasks that it has to report, nil for one.
func ParseAnswer(text []byte, parts []string) (Answer, error) {
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return nil, evaluate.Failed("it answered nothing; want {\"score\": NUMBER}")
	}
	var d document
	err := strictly(text, &d)
	if !json.Valid(text) {
		last := text[bytes.LastIndexByte(text, '\n')+1:]
		if !json.Valid(last) {
			return nil, evaluate.Failed("its answer is not JSON: %s", clipped(last))
		}
		text = last
		d = document{}
		err = strictly(text, &d)
	}
	if err != nil {
		return nil, evaluate.Failed("its answer is not {\"score\": NUMBER, \"examples\": [...]}: %s: %s", strings.TrimPrefix(err.Error(), "json: "), clipped(text))
	}
	if d.Error != "" {
		return nil, evaluate.Failed("it says: %s", d.Error)
	}
	if parts == nil {
		if d.Tasks != nil {
			return nil, evaluate.Failed("it reports tasks, of which the recipe lists none: %s", strings.Join(slices.Sorted(maps.Keys(d.Tasks)), ", "))
		}
		s, err := d.read()
		if err != nil {
			return nil, err
		}
		return Answer{"": s}, nil
	}
	a := Answer{}
	for _, p := range parts {
		t, ok := d.Tasks[p]
		if !ok {
			return nil, evaluate.Failed("it reports no task %q; it has %s", p, strings.Join(slices.Sorted(maps.Keys(d.Tasks)), ", "))
		}
		s, err := t.read()
		if err != nil {
			return nil, evaluate.Failed("task %s: %w", p, err)
		}
		a[p] = s
	}
	return a, nil
}

func (d *document) read() (s Score, err error) {
	if d.Examples == nil {
		if d.Score == nil {
			return s, evaluate.Failed("its answer has no score")
		}
		s.Value = *d.Score
		return s, nil
	}
	if len(d.Examples) == 0 {
		return s, evaluate.Failed("its list of examples is empty")
	}
	seen := map[string]bool{}
	for i, e := range d.Examples {
		id := fmt.Sprint(i)
		if e.ID != nil {
			id, s.Named = string(*e.ID), true
		}
		if seen[id] {
			return s, evaluate.Failed("two examples have the id %q", id)
		}
		seen[id] = true
		if e.Score == nil {
			return s, evaluate.Failed("example %q has no score", id)
		}
		answer := ""
		if e.Answer != nil {
			answer = string(*e.Answer)
		}
		s.IDs, s.Items, s.Answers = append(s.IDs, id), append(s.Items, *e.Score), append(s.Answers, answer)
		s.Value += *e.Score / float64(len(d.Examples))
	}
	if d.Score != nil && !(math.Abs(*d.Score-s.Value) <= meanSlack*math.Max(1, math.Abs(s.Value))) {
		return s, evaluate.Failed("its score is %g and the mean of its examples %g: a score with examples is their mean", *d.Score, s.Value)
	}
	return s, nil
}

// clipped shortens what is shown of an answer.
func clipped(b []byte) string {
	const longest = 200
	text := strings.ToValidUTF8(string(b), "�")
	if r := []rune(text); len(r) > longest {
		text = string(r[:longest]) + "…"
	}
	return text
}
