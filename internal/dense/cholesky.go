package dense

import "math"

// triangle is how many columns are solved for at a time: what they leave to the others is a
// product.
const triangle = 96

// Cholesky overwrites a, square, stored row by row, of which it reads the diagonal and what
// is below, with the lower triangle L of a = L L^T. ok is false where a is not positive
// definite, or so little that a pivot has lost its digits.
func Cholesky(a Matrix) (ok bool) {
	n := a.Rows
	least := make([]float64, n)
	for i := range n {
		least[i] = 8 * float64(n) * 0x1p-52 * a.At(i, i)
	}
	for k := 0; k < n; k += triangle {
		end := min(k+triangle, n)
		head := a.Part(k, end, k, end)
		for j := range head.Rows {
			rj := head.row(j)[:j+1]
			for i := range j {
				ri := head.row(i)[:i+1]
				rj[i] = (rj[i] - inner(rj[:i], ri[:i])) / ri[i]
			}
			pivot := rj[j] - inner(rj[:j], rj[:j])
			if !(pivot > least[k+j]) {
				return false
			}
			rj[j] = math.Sqrt(pivot)
		}
		below := a.Part(end, n, k, end)
		Each(below.Rows, func(i int) {
			r := below.row(i)
			for j := range r {
				rj := head.row(j)[:j+1]
				r[j] = (r[j] - inner(r[:j], rj[:j])) / rj[j]
			}
		})
		product(a.Part(end, n, end, n), below, below.T(), -1, true)
	}
	return true
}

// SolveCholesky overwrites b, stored row by row, with the x of L L^T x = b. It reads the
// diagonal of l and what is below.
func SolveCholesky(l, b Matrix) {
	n := l.Rows
	for k := 0; k < n; k += triangle {
		end := min(k+triangle, n)
		head, part := l.Part(k, end, k, end), b.Part(k, end, 0, b.Cols)
		for i := range head.Rows {
			for j := range i {
				part.addRow(i, j, -head.At(i, j))
			}
			part.divideRow(i, head.At(i, i))
		}
		product(b.Part(end, n, 0, b.Cols), l.Part(end, n, k, end), part, -1, false)
	}
	for k := (n - 1) / triangle * triangle; k >= 0; k -= triangle {
		end := min(k+triangle, n)
		head, part := l.Part(k, end, k, end), b.Part(k, end, 0, b.Cols)
		for i := head.Rows - 1; i >= 0; i-- {
			for j := i + 1; j < head.Rows; j++ {
				part.addRow(i, j, -head.At(j, i))
			}
			part.divideRow(i, head.At(i, i))
		}
		product(b.Part(0, k, 0, b.Cols), l.Part(k, end, 0, k).T(), part, -1, false)
	}
}

// inner is the inner product of rows.
func inner(a, b []float64) (sum float64) {
	for i, x := range a {
		sum = fma(x, b[i], sum)
	}
	return sum
}

// addRow adds by times row j to row i.
func (m Matrix) addRow(i, j int, by float64) {
	to, from := m.row(i), m.row(j)
	for c, x := range from {
		to[c] = fma(by, x, to[c])
	}
}

func (m Matrix) divideRow(i int, by float64) {
	for c := range m.row(i) {
		m.Data[i*m.Row+c] /= by
	}
}
