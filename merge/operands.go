package merge

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// Operands are what a Mix reads: the tensors of one merge as float32 nodes of
// shape [1, N], and the coefficients of P candidates as nodes of shape [P, 1], or
// [P, N] for those of rows.
type Operands struct {
	method  *Method
	rows    Rows
	base    *graph.Node   // [1, N] or nil
	source  []*graph.Node // [1, N]
	ranks   []*graph.Node // uint32 [1, N], of each source, if the method asks for them
	stats   []*graph.Node // [1, N], of each source, if the method reads an elementwise statistic
	spread  *graph.Node   // [1, N], if the method has it
	derived []*graph.Node // [1, N], of each source or of all, if the method derives some
	solved  *graph.Node   // [1|P, N], if the tensor is solved for
	place   *graph.Node   // uint32 [3]: index of the first element, the rows' Div and Mod
	f, u    *graph.Node   // [P, slots]
	index   *graph.Node   // made on first use, as is
	row     *graph.Node
}

// operands wraps graph arguments: coefficients [P, slots], place, then base (if
// the spec has one) and sources, each [1, N] in its stored type, then what the
// method prepares.
func operands(s *Spec, r Rows, solves bool, f, u, place *graph.Node, stored []*graph.Node) *Operands {
	m := s.Method
	x := &Operands{method: m, rows: r, f: f, u: u, place: place}
	if s.hasBase() {
		x.base = graph.ConvertDType(stored[0], dtypes.Float32)
		stored = stored[1:]
	}
	ranked, weighed := m.RankAxis != nil && r.Count > 0, m.Statistic != nil && m.Statistic.Elementwise
	each := m.Derive != nil && m.DeriveEach
	once := count(m.Spread != nil) + count(m.Derive != nil && !m.DeriveEach) + count(solves)
	sources := (len(stored) - once) / (1 + count(ranked) + count(weighed) + count(each))
	take := func(n int) (first []*graph.Node) {
		first, stored = stored[:n], stored[n:]
		return first
	}
	for _, t := range take(sources) {
		x.source = append(x.source, graph.ConvertDType(t, dtypes.Float32))
	}
	if ranked {
		x.ranks = take(sources)
	}
	if weighed {
		x.stats = take(sources)
	}
	if m.Spread != nil {
		x.spread = take(1)[0]
	}
	x.derived = take(len(stored) - count(solves))
	if solves {
		x.solved = stored[0]
	}
	return x
}

// count is 1 for what there is.
func count(there bool) int {
	if there {
		return 1
	}
	return 0
}

// Len returns the number of sources.
func (x *Operands) Len() int { return len(x.source) }

// Base returns the base tensor, [1, N], nil without one.
func (x *Operands) Base() *graph.Node { return x.base }

// Source returns source i, [1, N].
func (x *Operands) Source(i int) *graph.Node { return x.source[i] }

// Delta returns the task vector of source i in float32, [1, N]; the source itself
// without a base.
func (x *Operands) Delta(i int) *graph.Node {
	if x.base == nil {
		return x.source[i]
	}
	return graph.Sub(x.source[i], x.base)
}

// Magnitude returns |Delta(i)| with subnormals flushed to zero, [1, N]: some
// backends flush them and some do not, and masks must agree.
func (x *Operands) Magnitude(i int) *graph.Node { return flushed(graph.Abs(x.Delta(i))) }

// flushed makes magnitudes below the least normal float32 zero.
func flushed(m *graph.Node) *graph.Node {
	small := graph.LessThan(m, graph.Const(m.Graph(), float32(smallestNormal)))
	return graph.Where(small, graph.ZerosLike(m), m)
}

// Ranks returns the ranks of the entries of source i, uint32 [1, N]; nil if the method
// asks for none.
func (x *Operands) Ranks(i int) *graph.Node {
	if x.ranks == nil {
		return nil
	}
	return x.ranks[i]
}

// Statistic returns what the method's statistic says of source i, [1, N].
func (x *Operands) Statistic(i int) *graph.Node { return x.stats[i] }

// Solved returns the elements of what was solved for, [1|P, N]; nil for a tensor that is
// not.
func (x *Operands) Solved() *graph.Node { return x.solved }

// Spread returns what the method prepared for all sources, [1, N].
func (x *Operands) Spread() *graph.Node { return x.spread }

// Derived returns operand i of those that the method derives, [1, N].
func (x *Operands) Derived(i int) *graph.Node { return x.derived[i] }

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
		x.index = graph.Add(iota, x.placed(0))
	}
	return x.index
}

// placed returns a field of the place, uint32 scalar.
func (x *Operands) placed(i int) *graph.Node {
	return graph.Reshape(graph.Slice(x.place, graph.AxisElem(i)))
}

// HasRows reports whether rows have coefficients of their own.
func (x *Operands) HasRows() bool { return x.rows.Count > 0 }

// Row returns the row of each element, uint32 [1, N].
func (x *Operands) Row() *graph.Node {
	if x.row == nil {
		x.row = graph.Rem(graph.Div(x.Index(), x.placed(1)), x.placed(2))
	}
	return x.row
}

// RowF returns a float32 field of source i at the given rows, uint32 [1, N], as
// [P, N].
func (x *Operands) RowF(rows *graph.Node, source, field int) *graph.Node {
	m, k := x.method, len(x.source)
	return x.gather(x.f, k*m.SourceF+m.GlobalF, k*m.RowF+m.RowGlobalF, source*m.RowF+field, rows)
}

// RowU returns a uint32 field of source i at the given rows, [P, N].
func (x *Operands) RowU(rows *graph.Node, source, field int) *graph.Node {
	m, k := x.method, len(x.source)
	return x.gather(x.u, k*m.SourceU, k*m.RowU+m.RowGlobalU, source*m.RowU+field, rows)
}

// RowGlobal returns a float32 field of the given rows, [P, N].
func (x *Operands) RowGlobal(rows *graph.Node, field int) *graph.Node {
	m, k := x.method, len(x.source)
	return x.gather(x.f, k*m.SourceF+m.GlobalF, k*m.RowF+m.RowGlobalF, k*m.RowF+field, rows)
}

// OfRow is RowGlobal of each element's row, [P, N], or Global where the tensor is not
// in rows, [P, 1].
func (x *Operands) OfRow(field int) *graph.Node {
	if !x.HasRows() {
		return x.Global(field)
	}
	return x.RowGlobal(x.Row(), field)
}

// gather reads a field of a table of rows, which begins at a column of the
// coefficients and is so many columns wide.
func (x *Operands) gather(table *graph.Node, begin, width, field int, rows *graph.Node) *graph.Node {
	p, r := table.Shape().Dim(0), x.rows.padded()
	t := graph.Slice(table, graph.AxisRange(), graph.AxisRange(begin, begin+r*width))
	t = graph.Slice(graph.Reshape(t, p, r, width), graph.AxisRange(), graph.AxisRange(), graph.AxisElem(field))
	t = graph.Transpose(graph.Reshape(t, p, r), 0, 1) // [R, P]
	n := rows.Shape().Dim(1)
	// Padding behind the tensor's end has rows that do not exist.
	at := graph.Min(rows, graph.Const(rows.Graph(), uint32(r-1)))
	at = graph.Reshape(graph.ConvertDType(at, dtypes.Int32), n, 1)
	return graph.Transpose(graph.Gather(t, at), 0, 1) // [P, N]
}
