package models

import (
	"sync"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// See is told of a weight's inputs where a graph multiplies them: x is [B, ..., in] of a
// weight [out, in...], or of one kept as [in, out] if transposed. Inputs of a convolution are
// its patches, laid out as the weight is.
type See func(weight string, x *graph.Node, transposed bool)

// watchers are those of the graphs that are being built: layers are told of their
// weights by name, and of nothing else that could carry one.
var watchers sync.Map // *graph.Graph: See

// Watch calls build, and see for each product of a weight of one candidate in what build
// adds to the graph.
func Watch(g *graph.Graph, see See, build func()) {
	watchers.Store(g, see)
	defer watchers.Delete(g)
	build()
}

// seen tells the graph's watcher, if there is one.
func seen(weight string, x *graph.Node, transposed bool) {
	if see, ok := watchers.Load(x.Graph()); ok {
		see.(See)(weight, x, transposed)
	}
}

// seen tells of the input of a layer in a chain, x [1, B, in].
func (l *linear) seen(x *graph.Node) {
	if x.Shape().Dim(0) == 1 {
		seen(l.Name+".weight", graph.Squeeze(x, 0), false)
	}
}

// seen tells of the patches of x [1, B, in, height, width]: a convolution with as many
// kernels as a patch has entries, of a single 1 each, lays them out.
func (l *conv2d) seen(x *graph.Node) {
	if _, ok := watchers.Load(x.Graph()); !ok || x.Shape().Dim(0) != 1 {
		return
	}
	n := l.In * l.Kernel * l.Kernel
	rows := graph.Iota(x.Graph(), shapes.Make(dtypes.Int32, n, n), 0)
	eye := graph.ConvertDType(graph.Equal(rows, graph.Iota(x.Graph(), rows.Shape(), 1)), dtypes.Float32)
	patches := l.convolve(graph.Squeeze(x, 0), graph.Reshape(eye, n, l.In, l.Kernel, l.Kernel), 1)
	seen(l.Name+".weight", graph.TransposeAllAxes(patches, 0, 2, 3, 1), false)
}
