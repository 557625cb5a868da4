package programs

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/merge"
)

// Panel is the programs of a search, which its evaluators share.
type Panel struct {
	Tasks []*Task
	// Parents are what candidates are merges of.
	Parents *merge.Parents
	// Journal, if not nil, keeps the answers.
	Journal Journal
	// After is called after each candidate that a program was run for: what was made for
	// it is removed.
	After func() error
	// Runs counts the programs that were run.
	Runs int
}

// Evaluator scores candidates on a device and by programs.
type Evaluator struct {
	panel  *Panel
	device evaluate.Resident // nil without
	uses   []evaluate.Part
	prefix [3]string // of names, by use
	order  []entry
	last   map[asked]Answer // of the last candidate
}

// entry is a range of the layout: the device's at that place, or a score's.
type entry struct {
	device int
	task   *Task
	part   string
	use    evaluate.Part
}

var _ evaluate.Resident = (*Evaluator)(nil)

// ForSearch scores what a search sees: the device's tasks, if there are any, and then
// the programs'.
func (p *Panel) ForSearch(device evaluate.Resident) *Evaluator {
	e := &Evaluator{panel: p, device: device, uses: []evaluate.Part{evaluate.Search}}
	if device != nil {
		for i := range device.Layout() {
			e.order = append(e.order, entry{device: i})
		}
	}
	e.add(evaluate.Search)
	return e
}

// ForReport scores everything: for each use the device's tasks, of which counts tells
// how many there are, and then the programs'. prefix stands before the names.
func (p *Panel) ForReport(device evaluate.Resident, counts [3]int, prefix [3]string) *Evaluator {
	e := &Evaluator{panel: p, device: device, uses: everyUse, prefix: prefix}
	at := 0
	for _, use := range everyUse {
		for range counts[use] {
			e.order = append(e.order, entry{device: at})
			at++
		}
		e.add(use)
	}
	return e
}

func (e *Evaluator) add(use evaluate.Part) {
	for _, t := range e.panel.Tasks {
		if t.HeldOut && use != evaluate.Test {
			continue
		}
		for _, part := range t.parts() {
			e.order = append(e.order, entry{device: -1, task: t, part: part, use: use})
		}
	}
}

// Layout implements evaluate.Evaluator. A program's examples are known once it has
// answered; before that it has none.
func (e *Evaluator) Layout() []evaluate.ItemRange {
	var out []evaluate.ItemRange
	offset := 0
	var device []evaluate.ItemRange
	if e.device != nil {
		device = e.device.Layout()
	}
	for _, x := range e.order {
		r := evaluate.ItemRange{Offset: offset}
		if x.task == nil {
			r.Task, r.Count = device[x.device].Task, device[x.device].Count
		} else {
			_, places, _ := x.task.range1(x.part, x.use)
			r.Task, r.Count = e.prefix[x.use]+x.task.scoreName(x.part), len(places)
		}
		if r.Count > 0 {
			out = append(out, r)
			offset += r.Count
		}
	}
	return out
}

// Keys implements evaluate.Resident.
func (e *Evaluator) Keys() []evaluate.Key {
	var out []evaluate.Key
	for _, x := range e.order {
		if x.task == nil {
			r := e.device.Layout()[x.device]
			out = append(out, e.device.Keys()[r.Offset:r.Offset+r.Count]...)
			continue
		}
		_, _, keys := x.task.range1(x.part, x.use)
		out = append(out, keys...)
	}
	return out
}

// Metric is what a program's task is scored by, "" for a name of none.
func (e *Evaluator) Metric(name string) string {
	for _, x := range e.order {
		if x.task != nil && e.prefix[x.use]+x.task.scoreName(x.part) == name {
			from, _, _ := x.task.range1(x.part, x.use)
			if p := x.task.places[from]; p != nil {
				return p.metric
			}
			return x.task.Metric
		}
	}
	return ""
}

// Calls implements evaluate.Resident.
func (e *Evaluator) Calls() int {
	if e.device == nil {
		return 0
	}
	return e.device.Calls()
}

// Busy implements evaluate.Resident.
func (e *Evaluator) Busy() time.Duration {
	if e.device == nil {
		return 0
	}
	return e.device.Busy()
}

// Finalize implements evaluate.Resident.
func (e *Evaluator) Finalize() {
	if e.device != nil {
		e.device.Finalize()
	}
}

// Evaluate implements evaluate.Evaluator.
func (e *Evaluator) Evaluate(ctx context.Context, pop []evaluate.Model) ([]evaluate.Result, error) {
	results := make([]evaluate.Result, len(pop))
	if e.device != nil {
		var err error
		if results, err = e.device.Evaluate(ctx, pop); err != nil {
			return nil, err
		}
	}
	for i, m := range pop {
		if results[i].Err != nil {
			continue
		}
		answers, err := e.panel.ask(ctx, Candidate{m.Spec, m.Number}, e.uses)
		switch {
		case evaluate.IsFailure(err):
			results[i] = evaluate.Result{Err: err}
		case err != nil:
			return nil, err
		default:
			results[i] = e.join(results[i], answers)
			e.last = answers
		}
	}
	return results, nil
}

// Examples shows up to n examples of each task, as the last candidate answered them.
func (e *Evaluator) Examples(n int) (out []evaluate.Example) {
	if shows, ok := e.device.(interface {
		Examples(n int) []evaluate.Example
	}); ok {
		out = shows.Examples(n)
	}
	for _, x := range e.order {
		if x.task == nil {
			continue
		}
		from, places, _ := x.task.range1(x.part, x.use)
		s := e.last[asked{x.task, from.told}][x.part]
		if s.IDs == nil {
			continue
		}
		for _, i := range places[:min(n, len(places))] {
			out = append(out, evaluate.Example{Task: e.prefix[x.use] + x.task.scoreName(x.part), Prompt: s.IDs[i], Answer: s.Answers[i], Score: s.Items[i]})
		}
	}
	return out
}

// asked is one question of a task.
type asked struct {
	task *Task
	told evaluate.Part
}

// ask asks every program about a candidate.
func (p *Panel) ask(ctx context.Context, c Candidate, uses []evaluate.Part) (out map[asked]Answer, err error) {
	ran := false
	defer func() {
		if ran && p.After != nil {
			if e := p.After(); e != nil && (err == nil || evaluate.IsFailure(err)) {
				err = e
			}
		}
	}()
	out = map[asked]Answer{}
	for _, t := range p.Tasks {
		if t.HeldOut && len(uses) == 1 {
			continue // what a search sees
		}
		for _, told := range t.asks(uses) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			a, did, err := p.one(ctx, t, c, told)
			ran = ran || did
			if err == nil && did {
				err = p.overlap()
			}
			if err != nil {
				return nil, err
			}
			out[asked{t, told}] = a
		}
	}
	return out, nil
}

// one asks one question, unless the journal has the answer. ran says that a program was
// run for it.
func (p *Panel) one(ctx context.Context, t *Task, c Candidate, told evaluate.Part) (a Answer, ran bool, err error) {
	digest := c.Spec.Digest(p.Parents)
	key := "program/" + digestOf(t.Asker.Identity(), told.String(), string(digest[:]))
	if a, err := p.known(key, t, told); a != nil || err != nil {
		return a, false, err
	}
	p.Runs++
	if a, err = t.Asker.Ask(ctx, c, told); err == nil {
		if err = t.fix(told, a); err == nil {
			err = t.read(told, a)
		}
	} else {
		err = prefixed(t, err)
	}
	if p.Journal == nil || err != nil && (!evaluate.IsFailure(err) || c.Number == 0) {
		return a, true, err // what is no candidate is asked again when the reason may be gone
	}
	if e := p.Journal.SetNote(key, t.kept(told, a, err)); e != nil {
		return nil, true, e
	}
	return a, true, err
}

func prefixed(t *Task, err error) error {
	if evaluate.IsFailure(err) {
		return evaluate.Failed("task %s: %w", t.Name, err)
	}
	return fmt.Errorf("task %s: %w", t.Name, err)
}

func digestOf(texts ...string) string {
	h := sha256.New()
	for _, t := range texts {
		fmt.Fprintf(h, "%d %s\n", len(t), t)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// overlap refuses examples that are both held out and not.
func (p *Panel) overlap() error {
	seen := map[evaluate.Key]*Task{}
	each := func(held bool, do func(t *Task, k evaluate.Key) error) error {
		for _, t := range p.Tasks {
			for _, x := range t.places {
				for use, places := range x.share {
					if (evaluate.Part(use) == evaluate.Test) != held {
						continue
					}
					for _, i := range places {
						if err := do(t, x.keys[i]); err != nil {
							return err
						}
					}
				}
			}
		}
		return nil
	}
	_ = each(false, func(t *Task, k evaluate.Key) error { seen[k] = t; return nil })
	return each(true, func(t *Task, k evaluate.Key) error {
		if other, ok := seen[k]; ok {
			return fmt.Errorf("an example of held-out task %s is also in task %s: a score on it would not be held out", t.Name, other.Name)
		}
		return nil
	})
}

// join puts the device's result and the programs' answers together.
func (e *Evaluator) join(on evaluate.Result, answers map[asked]Answer) evaluate.Result {
	r := evaluate.Result{Tasks: map[string]float64{}, Tie: on.Tie}
	var device []evaluate.ItemRange
	if e.device != nil {
		device = e.device.Layout()
	}
	for _, x := range e.order {
		if x.task == nil {
			at := device[x.device]
			r.Items = append(r.Items, on.Items[at.Offset:at.Offset+at.Count]...)
			r.Predicted = append(r.Predicted, on.Predicted[at.Offset:at.Offset+at.Count]...)
			r.Tasks[at.Task] = on.Tasks[at.Task]
			continue
		}
		from, places, _ := x.task.range1(x.part, x.use)
		if len(places) == 0 {
			continue
		}
		s := answers[asked{x.task, from.told}][x.part]
		items, predicted := s.marks(places)
		var sum float64
		for _, i := range places {
			if s.IDs == nil {
				sum += s.Value
			} else {
				sum += s.Items[i]
			}
		}
		r.Tasks[e.prefix[x.use]+x.task.scoreName(x.part)] = sum / float64(len(places))
		r.Items, r.Predicted = append(r.Items, items...), append(r.Predicted, predicted...)
	}
	h := sha256.New()
	h.Write(on.Outputs[:])
	_ = binary.Write(h, binary.LittleEndian, r.Predicted)
	_ = binary.Write(h, binary.LittleEndian, r.Items)
	copy(r.Outputs[:], h.Sum(nil))
	return r
}
