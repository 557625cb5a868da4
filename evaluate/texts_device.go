package evaluate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/merge"
)

// Texts scores merges of resident parents on texts, one at a time: batches of one
// length, whatever their tasks, go through each.
type Texts struct {
	single
	sequences []Sequence
	calls     []call
	shared    []*gmlx.Tensor // the heads
}

// call is a batch on the device with the program that it goes through.
type call struct {
	batch
	mode    mode
	writing *Writing
	args    []*gmlx.Tensor
}

var _ Resident = (*Texts)(nil)

// TextsOnDevice uploads tokenized texts and returns their evaluator.
func TextsOnDevice(pop *merge.Population, m *models.Model, sets []*Dataset, plan Plan) (*Texts, error) {
	d := &Texts{single: newSingle(pop, m)}
	d.examine, d.blocks = d.all, plan.Blocks
	if plan.Blocks || plan.Layerwise {
		if err := Stackable(m); err != nil {
			return nil, err
		}
		d.outer, d.layer = byLayer(m)
	}
	if plan.Layerwise {
		d.layers = d.layerwise
	}
	slots := map[mode][]int{}
	place := classPlaces{width: m.Text.Width}
	rows := map[int]row{}
	for _, s := range sets {
		if len(s.Sequences) == 0 {
			return nil, fmt.Errorf("task %s has tensors and others have texts; score them apart", s.Name)
		}
		base := d.add(s)
		d.sequences = append(d.sequences, s.Sequences...)
		from := place.add(s.Head)
		for j := range s.Sequences {
			slots[s.mode()] = append(slots[s.mode()], base+j)
			r := row{pooling: s.Pooling, from: from}
			if s.Head != nil {
				r.to, r.label = from+s.Head.Classes, from+int(s.Labels[j])
			}
			rows[base+j] = r
		}
	}
	if len(d.keys) == 0 {
		return nil, fmt.Errorf("there is no example to score")
	}
	d.shared = place.tensors()
	for i, s := range sets {
		if s.mode() != written {
			continue
		}
		d.mergers.wide = !plan.Narrow // steps of a token are too small to convert the weights in
		var own []int                 // tasks write apart: each has lengths of its own
		for j := range s.Sequences {
			own = append(own, d.first[i]+j)
		}
		limit := 0
		if m.Text.Positions > 0 {
			limit = m.Text.Positions - 1
		}
		for _, b := range batches(d.sequences, own, max(1, plan.Tokens), limit) {
			ids, lengths := b.ids(d.sequences)
			d.calls = append(d.calls, call{b, written, s.Writing, []*gmlx.Tensor{gmlx.FromFlatDataAndDimensions(ids, b.rows, b.length), gmlx.FromFlatDataAndDimensions(lengths, b.rows)}})
		}
	}
	for _, mode := range []mode{classes, tokens, vectors} {
		for _, b := range batches(d.sequences, slots[mode], plan.Tokens, m.Text.Longest()) {
			ids, lengths := b.ids(d.sequences)
			c := call{b, mode, nil, []*gmlx.Tensor{gmlx.FromFlatDataAndDimensions(ids, b.rows, b.length), gmlx.FromFlatDataAndDimensions(lengths, b.rows)}}
			switch mode {
			case tokens:
				from := make([]int32, b.rows)
				for r := range from {
					from[r] = int32(d.sequences[b.slot(r)].From)
				}
				c.args = append(c.args, gmlx.FromFlatDataAndDimensions(from, b.rows))
			default:
				c.args = append(c.args, b.rowArgs(rows, lengths)...)
			}
			d.calls = append(d.calls, c)
		}
	}
	return d, nil
}

// Layout implements Evaluator.
func (d *single) Layout() []ItemRange { return d.layout }

// Keys returns the example behind each item.
func (d *single) Keys() []Key { return d.keys }

// Calls returns how many device calls were made so far.
func (d *single) Calls() int { return d.count + d.mergers.calls }

// Busy returns the time spent in device calls so far, compilation included.
func (d *single) Busy() time.Duration { return d.busy + d.mergers.busy }

// Merging returns what of Busy was spent on making candidates' weights.
func (d *single) Merging() time.Duration { return d.mergers.busy }

// Finalize frees the examples and the compiled graphs.
func (d *Texts) Finalize() {
	for _, c := range d.calls {
		for _, t := range c.args {
			_ = t.FinalizeAll()
		}
	}
	for _, t := range d.shared {
		_ = t.FinalizeAll()
	}
	d.free()
}

// free frees the compiled graphs.
func (d *single) free() {
	d.mergers.finalize()
	for _, e := range d.programs {
		e.Finalize()
	}
}

// Evaluate implements Evaluator.
func (d *single) Evaluate(ctx context.Context, pop []Model) ([]Result, error) {
	results := make([]Result, len(pop))
	for i, m := range pop {
		if err := d.one(ctx, m.Spec, &results[i]); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// one scores a candidate.
func (d *single) one(ctx context.Context, s *merge.Spec, to *Result) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	a := newAnswers(d.slots)
	failed, err := d.ask(ctx, s, a)
	if broken, ok := errors.AsType[*runError](err); ok {
		failed, err = broken, nil
	}
	if err != nil {
		return err
	}
	if failed != nil {
		*to = Result{Err: failed}
		return nil
	}
	if *to, err = d.mark(ctx, a); err != nil {
		return err
	}
	if to.Err == nil {
		d.last = a
	}
	return nil
}

// ask lets a candidate answer all examples. failed says what is wrong with it.
func (d *single) ask(ctx context.Context, s *merge.Spec, a *answers) (failed, err error) {
	if d.layers != nil {
		return d.layers(ctx, s, a)
	}
	w, failed, err := d.merged(ctx, s)
	if failed != nil || err != nil {
		return failed, err
	}
	defer w.free()
	return nil, d.examine(ctx, w, a)
}

// all lets every batch go through a candidate.
func (d *Texts) all(ctx context.Context, w *weights, a *answers) error {
	for _, c := range d.calls {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := d.pass(ctx, c, w, a); err != nil {
			return err
		}
	}
	return nil
}

// pass lets a batch go through the model.
func (d *Texts) pass(ctx context.Context, c call, w *weights, a *answers) error {
	if c.mode == written {
		return d.write(ctx, c, d.sequences, c.writing, w, a)
	}
	pass := d.passWhole
	if d.blocks {
		pass = d.passLayers
	}
	out, err := pass(c, w)
	if err != nil {
		return err
	}
	defer finalize(out)
	if err := a.read(c, out); err != nil {
		return fmt.Errorf("reading scores: %w", err)
	}
	return nil
}

func (d *Texts) passWhole(c call, w *weights) ([]*gmlx.Tensor, error) {
	return d.run(fmt.Sprint("mode ", c.mode), d.program(c.mode), append(c.args, c.mode.shared(d.shared)...), w.list)
}

// runError is what a graph that has run before fails with: a candidate's fault, or the
// memory's.
type runError struct{ error }

// run calls a program of that name, made of build where there is none yet.
func (d *single) run(name string, build func(args []*graph.Node) []*graph.Node, own, weights []*gmlx.Tensor) ([]*gmlx.Tensor, error) {
	exec, ran := d.programs[name]
	if !ran {
		var err error
		if exec, err = graph.NewExec(d.pop.Backend(), build); err != nil {
			return nil, fmt.Errorf("preparing the evaluation: %w", err)
		}
		d.programs[name] = exec.SetMaxCache(-1) // one of each shape that texts come in
	}
	args := make([]any, 0, len(own)+len(weights))
	for _, list := range [][]*gmlx.Tensor{own, weights} {
		for _, t := range list {
			args = append(args, t)
		}
	}
	out, err := d.call(exec, args)
	if err != nil && ran {
		err = &runError{err}
	}
	return out, err
}

// merged makes a candidate's weights on the device. failed says why it has none.
func (d *single) merged(ctx context.Context, s *merge.Spec) (w *weights, failed, err error) {
	if d.blocks || s.Parents != nil || d.pop.Apart() {
		return d.apart(ctx, s)
	}
	made, errs, err := d.mergers.merge(ctx, []*merge.Spec{s})
	if err != nil {
		return nil, nil, err
	}
	return &weights{list: made, own: made}, errs[0], nil
}

func (d *single) call(exec *graph.Exec, args []any) ([]*gmlx.Tensor, error) {
	began := time.Now()
	out, err := exec.Call(args...)
	d.count++
	d.busy += time.Since(began)
	if err != nil {
		return nil, fmt.Errorf("scoring on the device: %s", firstLine(err))
	}
	return out, nil
}

func finalize(list []*gmlx.Tensor) {
	for _, t := range list {
		_ = t.FinalizeAll()
	}
}
