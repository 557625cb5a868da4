package niches

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/merge/niche"
	"github.com/mergevo/mergevo/tensors"
)

// Networks scores flat networks on the examples of an evaluator, which keeps them. The
// weights lie in a flat order, in tensors of these shapes. The error says why a graph cannot
// do that.
func Networks(d *evaluate.Device, flat *niche.Flat, infos []tensors.Info) (Data, error) {
	inputs, ok := d.Whole()
	if !ok {
		return Data{}, fmt.Errorf("the examples take more than one device call")
	}
	shapes := map[string][]int{}
	for _, t := range infos {
		shapes[t.Name] = t.Shape
	}
	return Data{Inputs: inputs, Examples: inputs[1].Shape().Dim(0), Score: func(networks *graph.Node, in []*graph.Node) (right, ties *graph.Node) {
		var marks, likely []*graph.Node
		for w := range networks.Shape().Dim(0) {
			network := graph.Reshape(graph.Slice(networks, graph.AxisElem(w)), -1)
			answers, logLik := d.Mark(stored(flat, shapes, network), in[0], in[1])
			marks = append(marks, graph.ConvertDType(graph.Equal(answers, in[1]), dtypes.Float32))
			likely = append(likely, tie(logLik, d.Layout()))
		}
		return graph.Stack(marks, 0), graph.Stack(likely, 0)
	}}, nil
}

// tie is evaluate.Result's, of log-likelihoods [Rows]: a scalar, NaN where one of them is
// none, or +Inf.
func tie(logLik *graph.Node, layout []evaluate.ItemRange) *graph.Node {
	var sum *graph.Node
	for _, t := range layout {
		part := graph.Slice(logLik, graph.AxisRange(t.Offset, t.Offset+t.Count))
		mean := graph.DivScalar(graph.ReduceAllSum(part), float64(t.Count*len(layout)))
		if sum == nil {
			sum = mean
		} else {
			sum = graph.Add(sum, mean)
		}
	}
	endless := graph.Equal(graph.ReduceAllMax(logLik), graph.Infinity(sum.Graph(), sum.DType(), 1))
	return graph.Where(endless, graph.Sub(sum, sum), sum)
}

// stored are the tensors [1, shape...] of a flat network [n].
func stored(f *niche.Flat, shapes map[string][]int, network *graph.Node) models.Weights {
	return func(name string) *graph.Node {
		shape := shapes[name]
		from, end := f.Range(name)
		w := graph.Slice(network, graph.AxisRange(int(from), int(end)))
		if f.Columns && len(shape) > 1 {
			w = graph.Transpose(graph.Reshape(w, -1, shape[0]), 0, 1)
		}
		return graph.Reshape(w, slices.Concat([]int{1}, shape)...)
	}
}
