package merge

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// Pieces say what part of each source the stretches of one tensor have. Stretches
// run along the tensor's elements as they are stored, or by Columns.
type Pieces struct {
	// Columns runs down the first axis: the elements with the same last indices come
	// one behind the other, as if a matrix were transposed.
	Columns bool
	// Ends are where the stretches end, ascending, in elements of this tensor; the last
	// reaches to its end. Shares has a row a stretch, a number a source.
	Ends   []int
	Shares [][]float64
	// Most is how many stretches any tensor of the merge has: the table that a graph
	// reads is of one size for all of them.
	Most int
}

// rows is the table of the pieces of a tensor: 4, 16, 64, … rows, so that the graphs of
// a search are few.
func (p *Pieces) rows(shape []int) Rows {
	r := Rows{Count: 1}
	if p == nil {
		return r
	}
	for r.Count < p.Most {
		r.Count *= 4
	}
	if n := size(shape); p.Columns && len(shape) > 1 && n > 0 {
		r.Div, r.Mod = shape[0], n/shape[0]
	}
	return r
}

// fill writes the pieces into a table, float32 shares by source and the ends; rows
// behind the last are never looked at.
func (p *Pieces) fill(out Coefs, sources int) error {
	if p == nil {
		for k := range sources {
			out.SetRowF(0, k, 0, 1/float64(sources))
		}
		return nil
	}
	for i, end := range p.Ends {
		if len(p.Shares[i]) != sources {
			return fmt.Errorf("a segment has shares of %d models, %d are merged", len(p.Shares[i]), sources)
		}
		for k, v := range p.Shares[i] {
			out.SetRowF(i, k, 0, v)
		}
		out.SetRowGlobalU(i, 0, uint32(end))
	}
	for i := len(p.Ends) - 1; i < out.Rows().Count; i++ {
		out.SetRowGlobalU(i, 0, math.MaxUint32)
	}
	return nil
}

// share is the mean magnitude of a source's shares in a tensor of n elements.
func (p *Pieces) share(source, n int) float64 {
	sum, from := 0.0, 0
	for i, end := range p.Ends {
		if i == len(p.Ends)-1 {
			end = n
		}
		sum += math.Abs(p.Shares[i][source]) * float64(end-from) / float64(n)
		from = end
	}
	return sum
}

// Piece returns the row of the piece that each element of each candidate lies in,
// int32 [P, N]. The rows' first uint32 is where the piece ends.
func (x *Operands) Piece() *graph.Node {
	at := x.Index()
	if x.rows.Mod > 0 {
		at = graph.Add(graph.Mul(graph.Rem(at, x.placed(2)), x.placed(1)), graph.Div(at, x.placed(2)))
	}
	m, k := x.method, len(x.source)
	piece := graph.ScalarZero(at.Graph(), dtypes.Int32)
	one := graph.ScalarOne(at.Graph(), dtypes.Int32)
	for row := range x.rows.padded() - 1 {
		end := column(x.u, k*m.SourceU+row*(k*m.RowU+m.RowGlobalU)+k*m.RowU)
		p, n := end.Shape().Dim(0), at.Shape().Dim(1)
		behind := graph.GreaterOrEqual(graph.BroadcastToDims(at, p, n), graph.BroadcastToDims(end, p, n))
		piece = graph.Add(piece, graph.Where(behind, one, graph.ScalarZero(at.Graph(), dtypes.Int32)))
	}
	return piece
}

// PieceF returns a float32 field of source i in each element's piece, [P, N]; [P, 1]
// where there is one piece.
func (x *Operands) PieceF(piece *graph.Node, source, field int) *graph.Node {
	m, k := x.method, len(x.source)
	begin, width := k*m.SourceF+m.GlobalF, k*m.RowF+m.RowGlobalF
	r, p := x.rows.padded(), x.f.Shape().Dim(0)
	if r == 1 {
		return column(x.f, begin+source*m.RowF+field)
	}
	t := graph.Slice(x.f, graph.AxisRange(), graph.AxisRange(begin, begin+r*width))
	t = graph.Slice(graph.Reshape(t, p, r, width), graph.AxisRange(), graph.AxisRange(), graph.AxisElem(source*m.RowF+field))
	// A candidate's rows lie behind the last one's.
	first := graph.MulScalar(graph.Iota(t.Graph(), shapes.Make(dtypes.Int32, p, 1), 0), r)
	at := graph.Add(first, piece)
	return graph.Gather(graph.Reshape(t, p*r), graph.InsertAxes(at, -1))
}
