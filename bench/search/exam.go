package main

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/tensors"
)

// exam is the examples on the device, cut into calls as evaluate.Device cuts them,
// for graphs that get their weights from elsewhere.
type exam struct {
	model  *models.Model
	plan   evaluate.Plan
	sets   []*evaluate.Dataset
	labels []int32
	inputs []*gmlx.Tensor // [Rows, input...] a call
	wanted []*gmlx.Tensor // [Rows] labels a call
}

func newExam(s *subject) (*exam, error) {
	e := &exam{model: s.model, plan: s.plan, sets: s.sets}
	var inputs []byte
	for _, d := range s.sets {
		e.labels, inputs = append(e.labels, d.Labels...), append(inputs, d.Inputs...)
	}
	stored := dtypes.Uint8
	if s.sets[0].DType == tensors.F32 {
		stored = dtypes.Float32
	}
	rows, width := s.plan.Rows, len(inputs)/len(e.labels)
	for at := 0; at < len(e.labels); at += rows {
		x, y := make([]byte, rows*width), make([]int32, rows)
		copy(x, inputs[at*width:])
		copy(y, e.labels[at:])
		t, err := gmlx.FromRaw(s.backend.Backend, 0, shapes.Make(stored, append([]int{rows}, s.model.Input...)...), x)
		if err != nil {
			return nil, fmt.Errorf("uploading examples: %w", err)
		}
		e.inputs, e.wanted = append(e.inputs, t), append(e.wanted, gmlx.FromFlatDataAndDimensions(y, rows))
	}
	return e, nil
}

func (e *exam) finalize() {
	for i := range e.inputs {
		_ = e.inputs[i].FinalizeAll()
		_ = e.wanted[i].FinalizeAll()
	}
}

// population is the graph of evaluate.Device after the merge, of P models whose
// weights are [P, shape...]: unrolled where the plan says so.
func (e *exam) population(w models.Weights, x, labels *graph.Node, p int) []*graph.Node {
	if !e.plan.Unrolled || p == 1 {
		return e.score(x, labels, 1, func(_ int, name string) *graph.Node { return w(name) })
	}
	return e.score(x, labels, p, func(part int, name string) *graph.Node {
		return graph.SliceAxis(w(name), 0, graph.AxisElem(part))
	})
}

// score runs the model once for each part of the weights, and returns predictions
// and log-likelihoods [P, Rows].
func (e *exam) score(x, labels *graph.Node, parts int, w func(part int, name string) *graph.Node) []*graph.Node {
	x = graph.ConvertDType(x, dtypes.Float32)
	if e.model.DivideBy != 1 {
		x = graph.DivScalar(x, e.model.DivideBy)
	}
	each := make([]*graph.Node, parts)
	for i := range each {
		each[i] = e.model.Forward(func(name string) *graph.Node { return w(i, name) }, x)
	}
	logits := graph.Concatenate(each, 0)
	right := graph.OneHot(labels, e.model.Outputs, dtypes.Float32)
	right = graph.BroadcastToShape(graph.InsertAxes(right, 0), logits.Shape())
	logLik := graph.ReduceSum(graph.Mul(graph.LogSoftmax(logits, -1), right), -1)
	return []*graph.Node{graph.ArgMax(logits, -1, dtypes.Int32), logLik}
}

// run calls a graph on all examples and returns the accuracies of each of p models,
// in the order of the tasks. The graph takes inputs, labels, then args.
func (e *exam) run(exec *graph.Exec, p int, args []any) ([][]float64, error) {
	n, rows := len(e.labels), e.plan.Rows
	predicted := make([]int32, p*n)
	for call := range e.inputs {
		out, err := exec.Call(append([]any{e.inputs[call], e.wanted[call]}, args...)...)
		if err != nil {
			return nil, err
		}
		from := call * rows
		here := min(rows, n-from)
		err = gmlx.ConstFlatData(out[0], func(got []int32) {
			for i := range p {
				copy(predicted[i*n+from:i*n+from+here], got[i*rows:])
			}
		})
		if err == nil {
			// Read as evaluate.Device reads them, though nothing is asked of them here.
			err = gmlx.ConstFlatData(out[1], func([]float32) {})
		}
		for _, o := range out {
			_ = o.FinalizeAll()
		}
		if err != nil {
			return nil, err
		}
	}
	marks := make([][]float64, p)
	for i := range marks {
		marks[i] = e.accuracies(predicted[i*n : (i+1)*n])
	}
	return marks, nil
}

func (e *exam) accuracies(predicted []int32) []float64 {
	var out []float64
	at := 0
	for _, d := range e.sets {
		right := 0
		for i := at; i < at+d.Len(); i++ {
			if predicted[i] == e.labels[i] {
				right++
			}
		}
		at += d.Len()
		out = append(out, float64(right)/float64(d.Len()))
	}
	return out
}
