package merge

import (
	"math/bits"

	"github.com/mergevo/mergevo/tensors"
)

// Coefs are the coefficients of one tensor, as the graph reads them: the fields of
// each source in turn, then the global ones; behind them, for each row, the row's
// fields of each source, then the row's global ones.
type Coefs struct {
	method  *Method
	sources int
	rows    Rows
	f       []float32 // [sources*SourceF + GlobalF + Count*(sources*RowF + RowGlobalF)]
	u       []uint32  // [sources*SourceU + Count*(sources*RowU + RowGlobalU)]
}

// Rows is how a tensor falls into rows: element i is of row (i / Div) % Mod; for
// Pieces, which search theirs, Mod is 0 where they run along the elements as stored.
// Count 0 is no rows: the tensor has its flat coefficients alone.
type Rows struct{ Count, Div, Mod int }

// lastAxis gives each vector along the last axis a row of its own; a tensor of one
// dimension is one row.
func lastAxis(shape []int) Rows {
	cols, n := 1, size(shape)
	if len(shape) > 0 {
		cols = shape[len(shape)-1]
	}
	count := max(1, n/max(1, cols))
	return Rows{Count: count, Div: max(1, cols), Mod: count}
}

// firstAxis gives each vector along the first axis a row of its own; a tensor of
// one dimension is one row.
func firstAxis(shape []int) Rows {
	if len(shape) < 2 {
		return lastAxis(shape)
	}
	count := size(shape[1:])
	return Rows{Count: count, Div: 1, Mod: max(1, count)}
}

func size(shape []int) int { return tensors.Info{Shape: shape}.Len() }

// padded is the number of rows that a table holds: a power of two, so that tensors
// of many shapes share few graphs.
func (r Rows) padded() int {
	if r.Count <= 1 {
		return r.Count
	}
	return 1 << bits.Len(uint(r.Count-1))
}

// widths returns the lengths of the coefficient tables of a tensor.
func (m *Method) widths(sources int, r Rows) (f, u int) {
	f = sources*m.SourceF + m.GlobalF + r.padded()*(sources*m.RowF+m.RowGlobalF)
	u = sources*m.SourceU + r.padded()*(sources*m.RowU+m.RowGlobalU)
	return max(1, f), max(1, u)
}

// SetF sets a float32 field of a source.
func (c Coefs) SetF(source, field int, v float64) {
	c.f[source*c.method.SourceF+field] = float32(v)
}

// SetU sets a uint32 field of a source.
func (c Coefs) SetU(source, field int, v uint32) { c.u[source*c.method.SourceU+field] = v }

// SetGlobal sets a float32 field of the tensor.
func (c Coefs) SetGlobal(field int, v float64) {
	c.f[c.sources*c.method.SourceF+field] = float32(v)
}

// Rows returns the rows that have coefficients of their own.
func (c Coefs) Rows() Rows { return c.rows }

// SetRowF sets a float32 field of a row of a source.
func (c Coefs) SetRowF(row, source, field int, v float64) {
	m := c.method
	at := c.sources*m.SourceF + m.GlobalF + row*(c.sources*m.RowF+m.RowGlobalF)
	c.f[at+source*m.RowF+field] = float32(v)
}

// SetRowU sets a uint32 field of a row of a source.
func (c Coefs) SetRowU(row, source, field int, v uint32) {
	m := c.method
	c.u[c.sources*m.SourceU+row*(c.sources*m.RowU+m.RowGlobalU)+source*m.RowU+field] = v
}

// SetRowGlobal sets a float32 field of a row.
func (c Coefs) SetRowGlobal(row, field int, v float64) {
	m := c.method
	at := c.sources*m.SourceF + m.GlobalF + row*(c.sources*m.RowF+m.RowGlobalF)
	c.f[at+c.sources*m.RowF+field] = float32(v)
}

// SetRowGlobalU sets a uint32 field of a row.
func (c Coefs) SetRowGlobalU(row, field int, v uint32) {
	m := c.method
	c.u[c.sources*m.SourceU+row*(c.sources*m.RowU+m.RowGlobalU)+c.sources*m.RowU+field] = v
}

// SetOfRow is SetRowGlobal, or SetGlobal where the tensor is not in rows.
func (c Coefs) SetOfRow(row, field int, v float64) {
	if c.rows.Count == 0 {
		c.SetGlobal(field, v)
		return
	}
	c.SetRowGlobal(row, field, v)
}
