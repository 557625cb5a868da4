package slope

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/tensors"
)

// examples are the arguments of a set's batch at a step.
func (s *Slope) examples(set, step int) ([]*gmlx.Tensor, error) {
	d, at := s.sets[set], s.draw(set, step)
	labels := make([]int32, len(at))
	for r, i := range at {
		labels[r] = d.Labels[i]
	}
	answers := gmlx.FromFlatDataAndDimensions(labels, len(labels))
	if s.model.Text == nil {
		width := len(d.Inputs) / d.Len()
		var raw []byte
		for _, i := range at {
			raw = append(raw, d.Inputs[i*width:(i+1)*width]...)
		}
		stored := dtypes.Uint8
		if d.DType == tensors.F32 {
			stored = dtypes.Float32
		}
		x, err := gmlx.FromRaw(s.pop.Backend(), 0, shapes.Make(stored, append([]int{len(at)}, s.model.Input...)...), raw)
		own := []*gmlx.Tensor{x, answers}
		if s.model.Image != nil {
			own = append(own, evaluate.NewImageLogits(s.model, d).Args()...)
		}
		return own, err
	}
	// Of a text in several windows the first.
	first := make([]int, d.Len())
	for i, n := 0, 0; i < d.Len(); i++ {
		first[i] = n
		n += d.Options[i]
	}
	t := 2
	for _, q := range d.Sequences { // one length for all batches: one graph
		t = max(t, evaluate.RoundLength(len(q.IDs), s.model.Text.Longest()))
	}
	ids, lengths, from, share := make([]int32, len(at)*t), make([]int32, len(at)), make([]int32, len(at)), []float32{}
	for r, i := range at {
		q := d.Sequences[first[i]]
		copy(ids[r*t:], q.IDs)
		lengths[r], from[r] = int32(len(q.IDs)), int32(q.From)
		share = append(share, evaluate.Shares(d.Pooling, len(q.IDs), t)...)
	}
	own := []*gmlx.Tensor{gmlx.FromFlatDataAndDimensions(ids, len(at), t), gmlx.FromFlatDataAndDimensions(lengths, len(at))}
	if d.Kind == evaluate.PerplexityKind {
		return append(own, gmlx.FromFlatDataAndDimensions(from, len(at))), nil
	}
	return append(own, gmlx.FromFlatDataAndDimensions(share, len(at), t), answers,
		gmlx.FromFlatDataAndDimensions(d.Head.Weight, d.Head.Classes, s.model.Text.Width), gmlx.FromFlatDataAndDimensions(d.Head.Bias, d.Head.Classes)), nil
}

// loss is the mean objective of a batch, a scalar.
func (s *Slope) loss(d *evaluate.Dataset, w models.Weights, own []*graph.Node) *graph.Node {
	all := func(logits *graph.Node) *graph.Node {
		return s.mean(logits, own[1], graph.OnesLike(graph.ConvertDType(own[1], dtypes.Float32)))
	}
	one := func(name string) *graph.Node { return graph.Squeeze(w(name), 0) }
	switch {
	case s.model.Image != nil:
		return all(evaluate.NewImageLogits(s.model, d).Of(one, own[0], own[2:]))
	case s.model.Text == nil:
		x := graph.ConvertDType(own[0], dtypes.Float32)
		if s.model.DivideBy != 1 {
			x = graph.DivScalar(x, s.model.DivideBy)
		}
		return all(graph.Squeeze(s.model.Forward(w, x), 0)) // [B, classes]
	}
	ids, lengths := own[0], own[1]
	hidden := s.model.Text.Hidden(one, ids, lengths)
	if d.Kind == evaluate.PerplexityKind {
		b, t := ids.Shape().Dim(0), ids.Shape().Dim(1)
		logits := s.model.Text.Logits(one, graph.SliceAxis(hidden, 1, graph.AxisRange(0, t-1)))
		place := graph.AddScalar(graph.Iota(ids.Graph(), shapes.Make(dtypes.Int32, b, t-1), 1), 1)
		wide := func(x *graph.Node) *graph.Node {
			return graph.BroadcastToShape(graph.InsertAxes(x, -1), place.Shape())
		}
		counted := graph.LogicalAnd(graph.GreaterOrEqual(place, wide(own[2])), graph.LessThan(place, wide(lengths)))
		rows := b * (t - 1)
		next := graph.Reshape(graph.SliceAxis(ids, 1, graph.AxisRange(1, t)), rows)
		return s.mean(graph.Reshape(logits, rows, logits.Shape().Dim(-1)), next, graph.Reshape(graph.ConvertDType(counted, dtypes.Float32), rows))
	}
	v := graph.Einsum("bt,btd->bd", own[2], hidden)
	logits := graph.Add(graph.Einsum("bd,cd->bc", v, own[4]), graph.InsertAxes(own[5], 0))
	return s.mean(logits, own[3], graph.OnesLike(graph.ConvertDType(own[3], dtypes.Float32)))
}

// mean is the mean objective of logits [B, C] and answers [B], over the rows that count
// [B].
func (s *Slope) mean(logits, answers, counts *graph.Node) *graph.Node {
	logs := graph.LogSoftmax(logits, -1)
	var each *graph.Node
	if s.objective == Entropy {
		each = graph.ReduceSum(graph.Mul(graph.Exp(logs), logs), -1)
	} else {
		at := graph.Iota(logits.Graph(), shapes.Make(dtypes.Int32, logits.Shape().Dimensions...), 1)
		hit := graph.Equal(at, graph.BroadcastToShape(graph.InsertAxes(answers, -1), at.Shape()))
		each = graph.ReduceSum(graph.Where(hit, logs, graph.ZerosLike(logs)), -1)
	}
	return graph.Neg(graph.Div(graph.ReduceAllSum(graph.Mul(each, counts)), graph.ReduceAllSum(counts)))
}
