package evaluate

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Example is an example as a model saw it and answered it.
type Example struct {
	Task   string `json:"task"`
	Prompt string `json:"prompt"`
	// Output is what the model said, Answer what counts of it, Want what is right.
	Output string  `json:"output,omitempty"`
	Answer string  `json:"answer"`
	Want   string  `json:"want"`
	Score  float64 `json:"score"`
}

// Examples shows up to n examples of each task, as the last candidate answered them.
func (d *single) Examples(n int) (out []Example) {
	if d.last == nil {
		return nil
	}
	for i, set := range d.sets {
		from := d.first[i]
		part := d.last.part(from, from+set.answers())
		items, predicted := d.last.items[i], d.last.predicted[i]
		slot := 0
		for j := range min(n, set.Len()) {
			e := set.example(part, j, slot, predicted[j])
			e.Task, e.Score = set.Name, items[j]
			out = append(out, e)
			if set.Options != nil {
				slot += set.Options[j]
			} else {
				slot++
			}
		}
	}
	return out
}

// example says what was asked and answered in example j, whose first sequence is slot.
func (d *Dataset) example(a *answers, j, slot int, predicted int32) Example {
	text := func(s int) string { return d.Decode(d.Sequences[s].IDs) }
	e := Example{}
	if d.Sequences != nil {
		e.Prompt = text(slot)
	} else {
		e.Prompt = fmt.Sprintf("example %d of %s", d.Rows[j], filepath.Base(d.File))
	}
	switch d.Kind {
	case Generate:
		e.Output, e.Answer, e.Want = a.text[slot], d.Writing.answer(a.text[slot]), d.Answers[j]
	case Choice:
		first := d.Sequences[slot]
		e.Prompt = d.Decode(first.IDs[:first.From])
		var options []string
		for o := range d.Options[j] {
			q := d.Sequences[slot+o]
			options = append(options, fmt.Sprintf("%q %.3f", d.Decode(q.IDs[q.From:]), a.logLik[slot+o]))
		}
		e.Output, e.Answer, e.Want = strings.Join(options, ", "), fmt.Sprint(predicted), fmt.Sprint(d.Labels[j])
	case STS:
		e.Prompt += " | " + text(slot+1)
		e.Answer, e.Want = fmt.Sprintf("%.4f", cosine(a.vector[slot], a.vector[slot+1])), fmt.Sprint(d.Gold[j])
	case PerplexityKind:
		e.Answer = fmt.Sprintf("log-likelihood %.3f", a.logLik[slot])
	default:
		e.Answer, e.Want = d.class(predicted), d.class(d.Labels[j])
		e.Output = fmt.Sprintf("log-likelihood of the right class %.3f", a.logLik[slot])
	}
	return e
}

// class is a class's number, with its name where it has one.
func (d *Dataset) class(i int32) string {
	if int(i) < len(d.Classes) {
		return fmt.Sprintf("%d (%s)", i, d.Classes[i])
	}
	return fmt.Sprint(i)
}

// cosine of two vectors of length 1.
func cosine(x, y []float32) (c float64) {
	for i := range x {
		c += float64(x[i]) * float64(y[i])
	}
	return c
}
