package evaluate

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// Device scores merges of resident parents on data that stays on the device too.
type Device struct {
	pop      *merge.Population
	model    *models.Model
	plan     Plan
	layout   []ItemRange
	keys     []Key
	metric   []string // of each task
	tempered bool     // some task needs log-likelihoods at all temperatures
	labels   []int32
	inputs   []*gmlx.Tensor // [Rows, input...] a call
	wanted   []*gmlx.Tensor // [Rows] labels a call
	execs    map[*merge.Kind]*graph.Exec
	ran      map[*merge.Kind]bool // kinds whose graph has run before
	// Merged apart, weights are made first, and one graph serves all kinds: nil stands
	// for them in execs.
	apart   bool
	mergers mergers
	calls   int
	busy    time.Duration
}

// Resident is an evaluator on a device, which counts what it does there.
type Resident interface {
	Evaluator
	// Keys returns the example behind each item.
	Keys() []Key
	// Calls returns how many device calls were made so far.
	Calls() int
	// Busy returns the time spent in device calls so far, compilation included.
	Busy() time.Duration
	// Finalize frees the examples and the compiled graphs.
	Finalize()
}

var _ Resident = (*Device)(nil)

// Place uploads the datasets, of tensors, images or texts as the model reads them, and
// returns their evaluator.
func Place(pop *merge.Population, m *models.Model, sets []*Dataset, plan Plan) (Resident, error) {
	switch {
	case m.Text != nil:
		return TextsOnDevice(pop, m, sets, plan)
	case m.Image != nil:
		return ImagesOnDevice(pop, m, sets, plan)
	}
	return OnDevice(pop, m, sets, plan)
}

// OnDevice uploads the datasets and returns their evaluator. All datasets must
// hold the same type of input.
func OnDevice(pop *merge.Population, m *models.Model, sets []*Dataset, plan Plan) (*Device, error) {
	d := &Device{pop: pop, model: m, plan: plan, execs: map[*merge.Kind]*graph.Exec{}, ran: map[*merge.Kind]bool{}}
	d.apart, d.mergers = plan.apart(m, pop.Place()), mergers{pop: pop, model: m, wide: true}
	var inputs []byte
	for _, s := range sets {
		if s.DType != sets[0].DType {
			return nil, fmt.Errorf("task %s has %s inputs and task %s has %s", sets[0].Name, sets[0].DType, s.Name, s.DType)
		}
		d.layout = append(d.layout, ItemRange{s.Name, len(d.labels), s.Len()})
		d.metric = append(d.metric, s.Metric)
		d.tempered = d.tempered || s.Metric == Calibrated
		d.labels = append(d.labels, s.Labels...)
		d.keys = append(d.keys, s.Keys...)
		inputs = append(inputs, s.Inputs...)
	}
	if len(d.labels) == 0 {
		return nil, fmt.Errorf("there is no example to score")
	}
	stored := dtypes.Uint8
	if sets[0].DType == tensors.F32 {
		stored = dtypes.Float32
	}
	width := len(inputs) / len(d.labels)
	for at := 0; at < len(d.labels); at += plan.Rows {
		n := min(plan.Rows, len(d.labels)-at)
		rows, labels := make([]byte, plan.Rows*width), make([]int32, plan.Rows)
		copy(rows, inputs[at*width:(at+n)*width])
		copy(labels, d.labels[at:at+n])
		x, err := gmlx.FromRaw(pop.Backend(), 0, shapes.Make(stored, append([]int{plan.Rows}, m.Input...)...), rows)
		if err != nil {
			return nil, fmt.Errorf("uploading examples: %w", err)
		}
		d.inputs = append(d.inputs, x)
		d.wanted = append(d.wanted, gmlx.FromFlatDataAndDimensions(labels, plan.Rows))
	}
	return d, nil
}

// Layout implements Evaluator.
func (d *Device) Layout() []ItemRange { return d.layout }

// Keys returns the example behind each item.
func (d *Device) Keys() []Key { return d.keys }

// Calls returns how many device calls were made so far.
func (d *Device) Calls() int { return d.calls + d.mergers.calls }

// Busy returns the time spent in device calls so far, compilation included.
func (d *Device) Busy() time.Duration { return d.busy + d.mergers.busy }

// Finalize frees the examples and the compiled graphs.
func (d *Device) Finalize() {
	for i := range d.inputs {
		_ = d.inputs[i].FinalizeAll()
		_ = d.wanted[i].FinalizeAll()
	}
	for _, e := range d.execs {
		e.Finalize()
	}
	d.mergers.finalize()
}

// Evaluate implements Evaluator. Candidates are scored in slices of one kind;
// a short slice is padded by repeating its last candidate.
func (d *Device) Evaluate(ctx context.Context, pop []Model) ([]Result, error) {
	results := make([]Result, len(pop))
	groups := map[*merge.Kind][]int{}
	var order []*merge.Kind
	for i, m := range pop {
		k := d.pop.Kind(m.Spec)
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], i)
	}
	for _, k := range order {
		members := groups[k]
		for at := 0; at < len(members); at += d.plan.Slice {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			part := members[at:min(at+d.plan.Slice, len(members))]
			if err := d.slice(ctx, k, pop, part, results); err != nil {
				return nil, err
			}
		}
	}
	return results, nil
}

// slice scores the candidates at the given places of pop.
func (d *Device) slice(ctx context.Context, k *merge.Kind, pop []Model, at []int, results []Result) error {
	specs := make([]*merge.Spec, d.plan.Slice)
	for i := range specs {
		specs[i] = pop[at[min(i, len(at)-1)]].Spec
	}
	stored, own, errs, err := d.operands(ctx, k, specs)
	defer finalize(own)
	if err != nil {
		return err
	}
	if !slices.Contains(errs, nil) {
		for i, place := range at {
			results[place] = Result{Err: errs[i]}
		}
		return nil
	}
	if d.apart {
		k = nil
	}
	exec, err := d.program(k)
	if err != nil {
		return err
	}
	n := len(d.labels)
	predicted, logLik := make([]int32, len(at)*n), make([]float32, len(at)*n)
	var tempers []float32
	if d.tempered {
		tempers = make([]float32, len(at)*n*len(temperatures))
	}
	for call := range d.inputs {
		args := []any{d.inputs[call], d.wanted[call]}
		for _, t := range stored {
			args = append(args, t)
		}
		began := time.Now()
		out, err := exec.Call(args...)
		d.calls++
		d.busy += time.Since(began)
		if err != nil {
			err = fmt.Errorf("scoring on the device: %s", firstLine(err))
			if !d.ran[k] {
				return err // the graph itself is at fault
			}
			for _, place := range at {
				results[place] = Result{Err: err}
			}
			return nil
		}
		d.ran[k] = true
		rows, from := d.plan.Rows, call*d.plan.Rows
		here := min(rows, n-from)
		err = gmlx.ConstFlatData(out[0], func(p []int32) {
			for i := range at {
				copy(predicted[i*n+from:i*n+from+here], p[i*rows:])
			}
		})
		if err == nil {
			err = gmlx.ConstFlatData(out[1], func(l []float32) {
				for i := range at {
					copy(logLik[i*n+from:i*n+from+here], l[i*rows:])
				}
			})
		}
		if err == nil && d.tempered {
			width := len(temperatures)
			err = gmlx.ConstFlatData(out[2], func(l []float32) {
				for i := range at {
					copy(tempers[(i*n+from)*width:(i*n+from+here)*width], l[i*rows*width:])
				}
			})
		}
		for _, o := range out {
			_ = o.FinalizeAll()
		}
		if err != nil {
			return fmt.Errorf("reading scores: %w", err)
		}
	}
	for i, place := range at {
		if errs[i] != nil {
			results[place] = Result{Err: errs[i]}
			continue
		}
		results[place] = d.mark(predicted[i*n:(i+1)*n], logLik[i*n:(i+1)*n], tempers[i*len(tempers)/len(at):(i+1)*len(tempers)/len(at)])
	}
	return nil
}

// firstLine drops the stack traces that backends put behind their errors.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// operands are what a graph takes of a slice's candidates: coefficients and parents,
// or the weights that are made of them. own are those to be freed after use.
func (d *Device) operands(ctx context.Context, k *merge.Kind, specs []*merge.Spec) (all, own []*gmlx.Tensor, errs []error, err error) {
	if d.apart {
		weights, errs, err := d.mergers.merge(ctx, specs)
		return weights, weights, errs, err
	}
	f, u, errs := k.Coefs(specs)
	own = []*gmlx.Tensor{f, u}
	stored, err := k.Resident(ctx)
	return slices.Concat(own, stored), own, errs, err
}

// program compiles the graph of a kind: merge, forward, and for each example the
// predicted class and the log-likelihood of the right one, both [P, Rows], and those at
// all temperatures where a task needs them. That of no kind takes weights that are merged
// already.
func (d *Device) program(k *merge.Kind) (*graph.Exec, error) {
	if e, ok := d.execs[k]; ok {
		return e, nil
	}
	exec, err := graph.NewExec(d.pop.Backend(), func(args []*graph.Node) []*graph.Node {
		x, labels, stored := d.numbers(args[0]), args[1], args[2:]
		p := stored[0].Shape().Dim(0)
		var weights models.Weights
		if k == nil {
			weights = named(d.model.Names(), stored)
		} else {
			weights = k.Weights(stored[0], stored[1], stored[2:])
		}
		logits := d.forward(weights, x, p)
		answers, logLik := d.marks(logits, labels)
		if d.tempered {
			return []*graph.Node{answers, logLik, tempered(logits, d.right(logits, labels))}
		}
		return []*graph.Node{answers, logLik}
	})
	if err != nil {
		return nil, fmt.Errorf("preparing the evaluation: %w", err)
	}
	d.execs[k] = exec
	return exec, nil
}

// numbers are inputs as the model takes them.
func (d *Device) numbers(x *graph.Node) *graph.Node {
	x = graph.ConvertDType(x, dtypes.Float32)
	if d.model.DivideBy != 1 {
		x = graph.DivScalar(x, d.model.DivideBy)
	}
	return x
}

// Whole returns the examples and their labels where one device call takes all of them.
func (d *Device) Whole() (inputs []*gmlx.Tensor, ok bool) {
	if len(d.inputs) != 1 || d.plan.Rows != len(d.labels) {
		return nil, false
	}
	return []*gmlx.Tensor{d.inputs[0], d.wanted[0]}, true
}

// Mark is the graph of one model with weights [1, shape...] on stored examples x with labels:
// what it answers to each, int32, and the log-likelihood of the label, both [Rows].
func (d *Device) Mark(w models.Weights, x, labels *graph.Node) (answers, logLik *graph.Node) {
	answers, logLik = d.marks(d.model.Forward(w, d.numbers(x)), labels)
	return graph.Reshape(answers, d.plan.Rows), graph.Reshape(logLik, d.plan.Rows)
}

// marks are the answers that logits [P, Rows, Outputs] are, and the log-likelihood of the
// labels [Rows]: both [P, Rows].
func (d *Device) marks(logits, labels *graph.Node) (answers, logLik *graph.Node) {
	logLik = graph.ReduceSum(graph.Mul(graph.LogSoftmax(logits, -1), d.right(logits, labels)), -1)
	return graph.ArgMax(logits, -1, dtypes.Int32), logLik
}

// right is 1 at the label of each row of logits [P, Rows, Outputs], else 0.
func (d *Device) right(logits, labels *graph.Node) *graph.Node {
	right := graph.OneHot(labels, d.model.Outputs, dtypes.Float32)
	return graph.BroadcastToShape(graph.InsertAxes(right, 0), logits.Shape())
}

// forward returns logits [P, Rows, Outputs].
func (d *Device) forward(w models.Weights, x *graph.Node, p int) *graph.Node {
	if !d.plan.Unrolled || p == 1 {
		return d.model.Forward(w, x)
	}
	logits := make([]*graph.Node, p)
	for i := range logits {
		logits[i] = d.model.Forward(func(name string) *graph.Node {
			return graph.SliceAxis(w(name), 0, graph.AxisElem(i))
		}, x)
	}
	return graph.Concatenate(logits, 0)
}

// mark turns predictions and log-likelihoods into a result.
func (d *Device) mark(predicted []int32, logLik, tempers []float32) Result {
	r := Result{Tasks: map[string]float64{}, Items: make([]float32, len(predicted)), Predicted: predicted}
	h := sha256.New()
	_ = binary.Write(h, binary.LittleEndian, predicted)
	for at, t := range d.layout {
		right, sum := 0, 0.0
		for i := t.Offset; i < t.Offset+t.Count; i++ {
			if l := float64(logLik[i]); math.IsNaN(l) || math.IsInf(l, 1) {
				return Result{Err: fmt.Errorf("task %s: the model's output is not a number on example %d", t.Task, i-t.Offset)}
			}
			sum += float64(logLik[i])
			if predicted[i] == d.labels[i] {
				r.Items[i] = 1
				right++
			}
		}
		r.Tasks[t.Task] = float64(right) / float64(t.Count)
		r.Tie += sum / float64(t.Count) / float64(len(d.layout))
		own := r.Items[t.Offset : t.Offset+t.Count]
		switch d.metric[at] {
		case LogLikelihood:
			copy(own, logLik[t.Offset:])
		case Calibrated:
			width := len(temperatures)
			copy(own, calibrate(tempers[t.Offset*width:(t.Offset+t.Count)*width]))
			sum = 0
			for _, l := range own {
				sum += float64(l)
			}
		default:
			continue
		}
		r.Tasks[t.Task] = sum / float64(t.Count)
		_ = binary.Write(h, binary.LittleEndian, own) // equal answers may differ in these
	}
	copy(r.Outputs[:], h.Sum(nil))
	return r
}
