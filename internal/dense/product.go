package dense

import (
	"runtime"
	"sync"
)

// A product is computed in tiles, from blocks of the factors that are copied to where
// the caches keep them (Goto & van de Geijn 2008, Anatomy of high-performance matrix
// multiplication). Each entry is a sum over blocks of depth terms, in order, of sums
// in order, each term by one fused multiply and add.
const (
	depth = 256
	width = 1536 // columns of a block, a multiple of every tile's
	tall  = 96   // rows of a block, likewise
)

// tile is the size of what a kernel computes at a time.
type tile struct {
	rows, cols int
	// do sets c, rows x cols, to the product of depth k of strips a and b, which
	// hold rows and cols numbers for each of the k.
	do func(k int, a, b, c []float64)
}

// Mul sets c, stored row by row, to a b.
func Mul(c, a, b Matrix) {
	c.Clear()
	product(c, a, b, 1, false)
}

// AddMul adds by times a b to c, stored row by row.
func AddMul(c, a, b Matrix, by float64) { product(c, a, b, by, false) }

// AddGram adds a^T a to c, square, stored row by row: below the diagonal and on it.
func AddGram(c, a Matrix) { product(c, a.T(), a, 1, true) }

// Gram returns a^T a.
func Gram(a Matrix) Matrix {
	c := New(a.Cols, a.Cols)
	AddGram(c, a)
	c.mirror()
	return c
}

// Mirror copies what AddGram computes above the diagonal.
func Mirror(c Matrix) { c.mirror() }

var packs = sync.Pool{New: func() any { return new([]float64) }}

// pack borrows room for n numbers.
func pack(n int) *[]float64 {
	p := packs.Get().(*[]float64)
	if cap(*p) < n {
		*p = make([]float64, n)
	}
	*p = (*p)[:n]
	return p
}

// product adds by a b to c; lower leaves out tiles above the diagonal.
func product(c, a, b Matrix, by float64, lower bool) {
	t := kernel()
	slabs(b.Rows, b.Cols, func(_ int, at slab) {
		strips := pack(t.size(at))
		t.lay(*strips, b, at)
		t.add(c, a, *strips, at, by, lower)
		packs.Put(strips)
	})
}

// add adds by times a b to c for one slab of b, which lies in strips.
func (t tile) add(c, a Matrix, strips []float64, at slab, by float64, lower bool) {
	// Fewer rows a block where there are few, so that every core has some.
	rows := (c.Rows + 4*runtime.GOMAXPROCS(0) - 1) / (4 * runtime.GOMAXPROCS(0))
	rows = max(t.rows, min(tall, (rows+t.rows-1)/t.rows*t.rows))
	Each((c.Rows+rows-1)/rows, func(g int) {
		i0 := g * rows
		i1 := min(i0+rows, c.Rows)
		block(t, c.Part(i0, i1, at.j0, at.j0+at.cols), a.Part(i0, i1, at.k0, at.k0+at.k), strips, by, lower, i0-at.j0)
	})
}

// block adds by a b to some rows of c, with b in strips. below is by how much the
// first row lies below the first column.
func block(t tile, c, a Matrix, b []float64, by float64, lower bool, below int) {
	k := a.Cols
	packed, out := pack((a.Rows+t.rows-1)/t.rows*t.rows*k), pack(t.rows*t.cols)
	defer packs.Put(packed)
	defer packs.Put(out)
	pa, sums := *packed, *out
	for i := 0; i < a.Rows; i += t.rows {
		strip(pa[i*k:(i+t.rows)*k], a.Part(i, min(i+t.rows, a.Rows), 0, k), t.rows, by)
	}
	for j := 0; j < c.Cols; j += t.cols {
		for i := 0; i < c.Rows; i += t.rows {
			if lower && j > below+i+t.rows-1 {
				continue
			}
			t.do(k, pa[i*k:(i+t.rows)*k], b[j*k:(j+t.cols)*k], sums)
			n := min(t.cols, c.Cols-j)
			for r := range min(t.rows, c.Rows-i) {
				to := c.Data[(i+r)*c.Row+j:][:n]
				for x, s := range sums[r*t.cols:][:n] {
					to[x] += s
				}
			}
		}
	}
}

// strip copies by times the rows of a, at most n of them, so that the n numbers of a
// column lie together; rows that are not there are zero.
func strip(to []float64, a Matrix, n int, by float64) {
	if a.Rows < n {
		clear(to)
	}
	if a.Row == 1 { // a column's numbers lie together already
		for k := range a.Cols {
			from := a.Data[k*a.Col:][:a.Rows]
			if by == 1 {
				copy(to[k*n:], from)
				continue
			}
			for i, x := range from {
				to[k*n+i] = by * x
			}
		}
		return
	}
	for i := range a.Rows {
		from := a.Data[i*a.Row:]
		for k, at := 0, 0; k < a.Cols; k, at = k+1, at+a.Col {
			to[k*n+i] = by * from[at]
		}
	}
}

// multiply is the kernel in Go.
func multiply(rows, cols int) func(k int, a, b, c []float64) {
	return func(k int, a, b, c []float64) {
		clear(c)
		for p := range k {
			bs := b[p*cols:][:cols]
			for i, x := range a[p*rows:][:rows] {
				to := c[i*cols:][:cols]
				for j, y := range bs {
					to[j] = fma(x, y, to[j])
				}
			}
		}
	}
}
