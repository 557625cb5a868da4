package dense

// Matrix is a view of Rows x Cols numbers: entry (i, j) is Data[i*Row + j*Col].
type Matrix struct {
	Rows, Cols int
	Row, Col   int // strides
	Data       []float64
}

// New returns a matrix of zeros, row by row.
func New(rows, cols int) Matrix { return Of(rows, cols, make([]float64, rows*cols)) }

// Of views numbers stored row by row as a matrix.
func Of(rows, cols int, data []float64) Matrix {
	return Matrix{Rows: rows, Cols: cols, Row: cols, Col: 1, Data: data[:rows*cols]}
}

// T views the transpose.
func (m Matrix) T() Matrix {
	return Matrix{Rows: m.Cols, Cols: m.Rows, Row: m.Col, Col: m.Row, Data: m.Data}
}

// Part views rows [i0, i1) of columns [j0, j1).
func (m Matrix) Part(i0, i1, j0, j1 int) Matrix {
	if i0 == i1 || j0 == j1 {
		return Matrix{Rows: i1 - i0, Cols: j1 - j0}
	}
	return Matrix{Rows: i1 - i0, Cols: j1 - j0, Row: m.Row, Col: m.Col, Data: m.Data[i0*m.Row+j0*m.Col:]}
}

// Columns views columns [j0, j1).
func (m Matrix) Columns(j0, j1 int) Matrix { return m.Part(0, m.Rows, j0, j1) }

// At returns entry (i, j).
func (m Matrix) At(i, j int) float64 { return m.Data[i*m.Row+j*m.Col] }

// Set sets entry (i, j).
func (m Matrix) Set(i, j int, x float64) { m.Data[i*m.Row+j*m.Col] = x }

// row returns row i, of a matrix stored row by row.
func (m Matrix) row(i int) []float64 { return m.Data[i*m.Row : i*m.Row+m.Cols] }

// Clear sets all entries to zero.
func (m Matrix) Clear() {
	for i := range m.Rows {
		clear(m.row(i))
	}
}

// Copy makes m equal to a, of the same size.
func (m Matrix) Copy(a Matrix) {
	for i := range m.Rows {
		r := m.row(i)
		for j := range r {
			r[j] = a.At(i, j)
		}
	}
}

// ScaleColumns multiplies column j by by[j].
func (m Matrix) ScaleColumns(by []float64) {
	for i := range m.Rows {
		for j, x := range m.row(i) {
			m.Data[i*m.Row+j] = x * by[j]
		}
	}
}

// mirror copies what is below the diagonal of a square matrix above it.
func (m Matrix) mirror() {
	const block = 64
	for i0 := 0; i0 < m.Rows; i0 += block {
		for j0 := 0; j0 <= i0; j0 += block {
			for i := i0; i < min(i0+block, m.Rows); i++ {
				r := m.row(i)
				for j := j0; j < min(j0+block, i); j++ {
					m.Data[j*m.Row+i] = r[j]
				}
			}
		}
	}
}
