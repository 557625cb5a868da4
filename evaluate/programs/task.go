package programs

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"hash/fnv"
	"math"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/merge"
)

// Candidate is a merge as programs are asked about it.
type Candidate struct {
	Spec *merge.Spec
	// Number is the candidate's, 0 for what is none.
	Number uint64
}

// Asker asks a program about a candidate.
type Asker interface {
	// Ask returns the program's answer on a part of its examples; a task that is not
	// told parts is asked once, with evaluate.Search. What the candidate is to blame for
	// is a [evaluate.Failure].
	Ask(ctx context.Context, c Candidate, part evaluate.Part) (Answer, error)
	// Identity says what is asked, to the last bit that is known.
	Identity() string
}

// Task is a task that a program scores.
type Task struct {
	Name string
	// Parts are the tasks that the program reports apart; nil is one.
	Parts []string
	// Metric is what scores are, "" where the program says it.
	Metric string
	// Split shares the examples out: by the program if it is Told the part, which runs it
	// once for each, else by their ids, of one run.
	Split evaluate.Split
	Told  bool
	// HeldOut tasks are for the report alone.
	HeldOut bool
	Asker   Asker

	// places are where each example of an answer goes, by [score], once the first answer
	// has told what there are.
	places map[score]*place
}

// score is one of the scores of a task, as it was asked: told is of tasks that are told
// the part, else Search.
type score struct {
	part string
	told evaluate.Part
}

// place is how the examples of an answer are laid out.
type place struct {
	at     map[string]int // of each ID; nil for a score without examples
	ids    []string
	keys   []evaluate.Key
	share  [3][]int // of an answer's examples, the places of those of each part
	metric string   // what the score is
	// written says that a journal has the IDs.
	written bool
}

// parts are the tasks that are reported, "" for one without.
func (t *Task) parts() []string {
	if t.Parts == nil {
		return []string{""}
	}
	return t.Parts
}

// scoreName is the name of one of the scores.
func (t *Task) scoreName(part string) string {
	if len(t.Parts) < 2 {
		return t.Name
	}
	return t.Name + "/" + part
}

// Scores are the names of the task's scores.
func (t *Task) Scores() (names []string) {
	for _, p := range t.parts() {
		names = append(names, t.scoreName(p))
	}
	return names
}

// asks lists what a program is asked for: so many runs score a candidate on those uses.
func (t *Task) asks(uses []evaluate.Part) []evaluate.Part {
	if !t.Told || t.HeldOut {
		told := evaluate.Search
		if t.HeldOut {
			told = evaluate.Test
		}
		return []evaluate.Part{told}
	}
	shares := [3]float64{t.Split.Search, t.Split.Validation, t.Split.Test}
	var out []evaluate.Part
	for _, p := range uses {
		if shares[p] > 0 || p == evaluate.Search {
			out = append(out, p)
		}
	}
	return out
}

// use is what an example is for.
func (t *Task) use(told evaluate.Part, k evaluate.Key) (evaluate.Part, bool) {
	switch {
	case t.HeldOut:
		return evaluate.Test, true
	case t.Told:
		return told, true
	}
	return t.Split.Of(k)
}

// fix lays out the examples of an answer, the first: those that follow have to have the
// same.
func (t *Task) fix(told evaluate.Part, a Answer) error {
	for _, part := range t.parts() {
		at := score{part, told}
		if t.places[at] != nil {
			continue
		}
		s := a[part]
		p := &place{metric: cmp.Or(s.Metric, t.Metric)}
		if s.IDs == nil {
			use := told
			if t.HeldOut {
				use = evaluate.Test
			}
			p.share[use] = []int{0}
			p.keys = []evaluate.Key{t.key(part, told, "", false)}
		} else {
			p.ids, p.at = s.IDs, map[string]int{}
			for i, id := range s.IDs {
				p.at[id] = i
				k := t.key(part, told, id, s.Named)
				if s.Keys != nil {
					k = keyOf(s.Keys[i])
				}
				p.keys = append(p.keys, k)
				if use, ok := t.use(told, k); ok {
					p.share[use] = append(p.share[use], i)
				}
			}
			if !t.HeldOut && told == evaluate.Search && len(p.share[evaluate.Search]) == 0 {
				return fmt.Errorf("task %s: its split leaves no example to search on, of the %d that the program reports", t.scoreName(part), len(s.IDs))
			}
		}
		if t.places == nil {
			t.places = map[score]*place{}
		}
		t.places[at] = p
	}
	return nil
}

// key is what an example is known by: the same id of the same question is the same
// example, whichever part it is in.
func (t *Task) key(part string, told evaluate.Part, id string, named bool) evaluate.Key {
	text := fmt.Sprintf("%s\x00%s\x00%s", t.Asker.Identity(), part, id)
	if !named {
		text += "\x00" + told.String()
	}
	return keyOf(text)
}

func keyOf(text string) evaluate.Key {
	sum := sha256.Sum256([]byte(text))
	return evaluate.Key(sum[:16])
}

// read puts an answer in the order of the first. Another list of examples is the
// candidate's failure: scores would not be comparable.
func (t *Task) read(told evaluate.Part, a Answer) error {
	for _, part := range t.parts() {
		p, s := t.places[score{part, told}], a[part]
		name := t.scoreName(part)
		switch {
		case (p.at == nil) != (s.IDs == nil):
			return evaluate.Failed("task %s: the program lists examples for some models and not for others", name)
		case p.at == nil:
			if math.IsNaN(s.Value) || math.IsInf(s.Value, 0) {
				return evaluate.Failed("task %s: the score is not a finite number", name)
			}
			continue
		case len(s.IDs) != len(p.at):
			return evaluate.Failed("task %s: the program reports %d examples, of the first model it reported %d", name, len(s.IDs), len(p.at))
		}
		items, answers := make([]float64, len(s.IDs)), make([]string, len(s.IDs))
		for i, id := range s.IDs {
			at, ok := p.at[id]
			if !ok {
				return evaluate.Failed("task %s: the program reports an example %q that it did not report of the first model", name, id)
			}
			if math.IsNaN(s.Items[i]) || math.IsInf(s.Items[i], 0) {
				return evaluate.Failed("task %s: the score of example %q is not a finite number", name, id)
			}
			items[at], answers[at] = s.Items[i], s.Answers[i]
		}
		s.IDs, s.Items, s.Answers = p.ids, items, answers
		a[part] = s
	}
	return nil
}

// range1 are the examples of one use of one score.
func (t *Task) range1(part string, use evaluate.Part) (from score, places []int, keys []evaluate.Key) {
	from = score{part, evaluate.Search}
	switch {
	case t.HeldOut:
		from.told = evaluate.Test
	case t.Told:
		from.told = use
	}
	p := t.places[from]
	if p == nil {
		return from, nil, nil
	}
	for _, i := range p.share[use] {
		keys = append(keys, p.keys[i])
	}
	return from, p.share[use], keys
}

// marks are the scores of examples, and a number for each of what was answered.
func (s *Score) marks(places []int) (items []float32, predicted []int32) {
	for _, i := range places {
		x, answer := s.Value, ""
		if s.IDs != nil {
			x, answer = s.Items[i], s.Answers[i]
		}
		items = append(items, float32(x))
		if answer == "" {
			answer = fmt.Sprint(x)
		}
		h := fnv.New32a()
		h.Write([]byte(shortly(answer)))
		predicted = append(predicted, int32(h.Sum32()>>1))
	}
	return items, predicted
}

// everyUse is what a report needs.
var everyUse = []evaluate.Part{evaluate.Search, evaluate.Validation, evaluate.Test}
