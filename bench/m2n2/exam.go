package main

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate/niches"
	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/internal/xla"
)

// exam scores networks on digits that stay on the device.
type exam struct {
	flat    []float32 // networks, one behind the other
	train   paper
	checked paper        // the test digits
	loop    *niches.Loop // of what runs on the device alone, once it has
}

// paper is a set of digits and the graph that marks networks on it: which are
// right.
type paper struct {
	images, labels *gmlx.Tensor
	exec           *graph.Exec
	count, places  int
}

// newExam is for so many networks at a time.
func newExam(b *xla.Backend, d *digits, places int) (*exam, error) {
	calls := (max(places, len(d.seeds)) + places - 1) / places // the seeds come all at once
	e := &exam{flat: make([]float32, calls*places*weights)}
	var err error
	if e.train, err = newPaper(b, d.train, places); err != nil {
		return nil, err
	}
	e.checked, err = newPaper(b, d.test, 1)
	return e, err
}

func newPaper(b *xla.Backend, s set, places int) (paper, error) {
	n := len(s.labels)
	p := paper{count: n, places: places}
	columns := make([]float32, len(s.images))
	for i, v := range s.images {
		columns[i%inputs*n+i/inputs] = v
	}
	p.images = gmlx.FromFlatDataAndDimensions(columns, inputs, n)
	p.labels = gmlx.FromFlatDataAndDimensions(s.labels, n)
	var err error
	p.exec, err = graph.NewExec(b.Backend, func(w, x, labels *graph.Node) *graph.Node {
		return graph.ConvertDType(right(w, x, labels), dtypes.Uint8)
	})
	return p, err
}

// right says of flat networks [W, weights] which digits they get right, bool [W, n].
func right(networks, x, labels *graph.Node) *graph.Node {
	var out []*graph.Node
	for i := range networks.Shape().Dim(0) {
		network := graph.Reshape(graph.Slice(networks, graph.AxisElem(i)), weights)
		out = append(out, graph.Equal(graph.ArgMax(forward(network, x), 0, dtypes.Int32), labels))
	}
	return graph.Stack(out, 0)
}

// forward returns logits [outputs, n] of a flat network on images [inputs, n].
func forward(flat, x *graph.Node) *graph.Node {
	at := 0
	part := func(dims ...int) *graph.Node {
		size := 1
		for _, d := range dims {
			size *= d
		}
		at += size
		return graph.Reshape(graph.Slice(flat, graph.AxisRange(at-size, at)), dims...)
	}
	w1, b1 := part(inputs, hidden), part(hidden, 1)
	w2, b2 := part(hidden, outputs), part(outputs, 1)
	h := graph.Max(graph.Add(graph.Einsum("ih,in->hn", w1, x), b1), graph.ScalarZero(x.Graph(), dtypes.Float32))
	return graph.Add(graph.Einsum("ho,hn->on", w2, h), b2)
}

// weights is where the network of a place is written.
func (e *exam) weights(place int) []float32 { return e.flat[place*weights : (place+1)*weights] }

// scores marks the first count networks on the training digits: accuracy, and right or
// wrong of each.
func (e *exam) scores(count int) ([]evolve.Score, error) {
	out := make([]evolve.Score, 0, count)
	for at := 0; at < count; at += e.train.places {
		right, err := e.train.mark(e.flat[at*weights:], min(e.train.places, count-at))
		if err != nil {
			return nil, err
		}
		for _, r := range right {
			out = append(out, scoreOf(r))
		}
	}
	return out, nil
}

// scoreOf is the score of who is right, 1, or wrong, 0, on each digit.
func scoreOf(right []uint8) evolve.Score {
	s := evolve.Score{Items: make([]float32, len(right))}
	for j, ok := range right {
		s.Items[j] = float32(ok)
		s.Value += float64(ok) / float64(len(right))
	}
	return s
}

// test is the accuracy of the first network on the test digits.
func (e *exam) test() (float64, error) {
	right, err := e.checked.mark(e.flat, 1)
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for _, ok := range right[0] {
		sum += float64(ok)
	}
	return sum / float64(len(right[0])), nil
}

// mark says of the first count networks and of each digit whether it is right, 1 or 0.
// What lies in the other places is marked and not looked at.
func (p paper) mark(networks []float32, count int) ([][]uint8, error) {
	w := gmlx.FromFlatDataAndDimensions(networks[:p.places*weights], p.places, weights)
	defer w.FinalizeAll() //nolint:errcheck // nothing to do about a buffer that will not be freed
	out, err := p.exec.Call(w, p.images, p.labels)
	if err != nil {
		return nil, fmt.Errorf("scoring on the device: %w", err)
	}
	defer out[0].FinalizeAll() //nolint:errcheck // as above
	right := make([][]uint8, count)
	err = gmlx.ConstFlatData(out[0], func(flat []uint8) {
		for i := range right {
			right[i] = append([]uint8(nil), flat[i*p.count:(i+1)*p.count]...)
		}
	})
	return right, err
}

func (e *exam) close() {
	if e.loop != nil {
		e.loop.Finalize()
	}
	for _, p := range []paper{e.train, e.checked} {
		_ = p.images.FinalizeAll()
		_ = p.labels.FinalizeAll()
		p.exec.Finalize()
	}
}
