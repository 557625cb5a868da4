package models

import (
	"sync"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// The forward graphs are differentiated by gomlx, which lacks one of their operations:
// d x^(-1/2) = -1/2 x^(-3/2) dx.
func init() {
	graph.VJPRegistration[graph.NodeTypeRsqrt] = func(y *graph.Node, v []*graph.Node, _ shapes.Shape) []*graph.Node {
		return []*graph.Node{graph.Mul(v[0], graph.MulScalar(graph.Mul(y, graph.Mul(y, y)), -0.5))}
	}
}

// differentiated are the graphs being built of which gradients will be taken.
var differentiated sync.Map // *graph.Graph: true

// Differentiable calls build, in which layers that have two graphs of the same values
// take the one whose gradient every backend has.
func Differentiable(g *graph.Graph, build func()) {
	differentiated.Store(g, true)
	defer differentiated.Delete(g)
	build()
}

func isDifferentiated(g *graph.Graph) bool {
	_, ok := differentiated.Load(g)
	return ok
}

// steps is the pooling of x [N, C, height, width] without padding as the largest of the
// windows' first entries, second entries, and so on.
func (l *maxPool2d) steps(x *graph.Node) (y *graph.Node) {
	h, w := x.Shape().Dim(2), x.Shape().Dim(3)
	rows, columns := (h-l.Kernel)/l.Stride, (w-l.Kernel)/l.Stride
	for i := range l.Kernel {
		for j := range l.Kernel {
			part := graph.Slice(x, graph.AxisRange(), graph.AxisRange(),
				graph.AxisRange(i, i+rows*l.Stride+1).Stride(l.Stride), graph.AxisRange(j, j+columns*l.Stride+1).Stride(l.Stride))
			if y == nil {
				y = part
			} else {
				y = graph.Max(y, part)
			}
		}
	}
	return y
}
