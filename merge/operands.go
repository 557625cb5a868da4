package merge

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// Operands are what a Mix reads: the tensors of one merge as float32 nodes of
// shape [1, N], and the coefficients of P candidates as nodes of shape [P, 1].
type Operands struct {
	method *Method
	base   *graph.Node   // [1, N] or nil
	source []*graph.Node // [1, N]
	offset *graph.Node   // uint32 scalar: index of the first element
	f, u   *graph.Node   // [P, slots]
	index  *graph.Node   // made on first use
}

// operands wraps graph arguments: coefficients [P, slots], offset, then base (if
// the spec has one) and sources, each [1, N] in its stored type.
func operands(s *Spec, f, u, offset *graph.Node, stored []*graph.Node) *Operands {
	x := &Operands{method: s.Method, f: f, u: u, offset: offset}
	for i, t := range stored {
		t = graph.ConvertDType(t, dtypes.Float32)
		if i == 0 && s.hasBase() {
			x.base = t
			continue
		}
		x.source = append(x.source, t)
	}
	return x
}

// Len returns the number of sources.
func (x *Operands) Len() int { return len(x.source) }

// Base returns the base tensor, [1, N].
func (x *Operands) Base() *graph.Node { return x.base }

// Source returns source i, [1, N].
func (x *Operands) Source(i int) *graph.Node { return x.source[i] }

// Delta returns the task vector of source i in float32, [1, N].
func (x *Operands) Delta(i int) *graph.Node { return graph.Sub(x.source[i], x.base) }

// Magnitude returns |Delta(i)| with subnormals flushed to zero, [1, N]: some
// backends flush them and some do not, and masks must agree.
func (x *Operands) Magnitude(i int) *graph.Node {
	m := graph.Abs(x.Delta(i))
	small := graph.LessThan(m, graph.Const(m.Graph(), float32(smallestNormal)))
	return graph.Where(small, graph.ZerosLike(m), m)
}

// F returns a float32 field of source i, [P, 1].
func (x *Operands) F(source, field int) *graph.Node {
	return column(x.f, source*x.method.SourceF+field)
}

// U returns a uint32 field of source i, [P, 1].
func (x *Operands) U(source, field int) *graph.Node {
	return column(x.u, source*x.method.SourceU+field)
}

// Global returns a float32 field of the tensor, [P, 1].
func (x *Operands) Global(field int) *graph.Node {
	return column(x.f, len(x.source)*x.method.SourceF+field)
}

func column(table *graph.Node, i int) *graph.Node {
	return graph.Slice(table, graph.AxisRange(), graph.AxisElem(i))
}

// Index returns the flat index of each element in its tensor, uint32 [1, N].
func (x *Operands) Index() *graph.Node {
	if x.index == nil {
		s := x.source[0]
		iota := graph.Iota(s.Graph(), shapes.Make(dtypes.Uint32, 1, s.Shape().Dim(1)), 1)
		x.index = graph.Add(iota, x.offset)
	}
	return x.index
}
