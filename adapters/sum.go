package adapters

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/mergevo/mergevo/merge/spectral"
	"github.com/mergevo/mergevo/tensors"
)

// Cut says of what rank the products are that are written.
type Cut struct {
	// Rank is the largest; 0 is no bound.
	Rank int
	// Energy is the part of the sum of squares that has to be kept, in (0, 1]; 0 does
	// not ask.
	Energy float64
}

// None reports whether sums are written whole.
func (c Cut) None() bool { return c.Rank == 0 && c.Energy == 0 }

// Kept says what a module's change lost.
type Kept struct {
	Module string `json:"module"`
	// Rank is what is written, Of what the sum had: its factors' ranks together.
	Rank int `json:"rank"`
	Of   int `json:"of"`
	// Energy is the part of the sum of squares that the cut kept, Error how far what is
	// written lies from the whole, rounding included, in parts of its norm.
	Energy float64 `json:"energy"`
	Error  float64 `json:"error"`

	squares, missed float64
}

// Together is what all modules keep: shares of the squares of all.
func Together(list []Kept) (energy, miss float64) {
	var all, kept, missed float64
	for _, k := range list {
		all += k.squares
		kept += k.Energy * k.squares
		missed += k.missed
	}
	if all == 0 {
		return 1, 0
	}
	return kept / all, math.Sqrt(missed / all)
}

// factors are two matrices, outputs × rank and rank × inputs, the latter with kernels.
type factors struct{ left, right *mat.Dense }

// sum lays the factors of a module in all adapters side by side, each product c times
// its scale: left keeps the factors as they are, right has the numbers in it. Adapters
// whose c is 0 are left out; nil is no change at all.
func (s *Set) sum(m module, c []float64) (*factors, error) {
	rank := s.rank(m, c)
	if rank == 0 {
		return nil, nil
	}
	rows, cols := matrix(m.Shape)
	f := &factors{mat.NewDense(rows, rank, nil), mat.NewDense(rank, cols, nil)}
	first := 0
	for i, a := range s.list {
		if m.at[i] < 0 || c[i] == 0 {
			continue
		}
		mine := s.own[i][m.at[i]]
		left, right, err := a.Pair(m.at[i])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.names[i], err)
		}
		scale := c[i] * float64(mine.Scale)
		for k := range mine.Rank {
			for row := range rows {
				f.left.Set(row, first+k, float64(left[row*mine.Rank+k]))
			}
			to := f.right.RawRowView(first + k)
			for j, x := range right[k*cols : (k+1)*cols] {
				to[j] = float64(x) * scale
			}
		}
		first += mine.Rank
	}
	for _, m := range []*mat.Dense{f.left, f.right} {
		for _, x := range m.RawMatrix().Data {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return nil, fmt.Errorf("the factors hold NaN or Inf")
			}
		}
	}
	return f, nil
}

// rank is that of a module's sum before it is cut: the ranks of all together.
func (s *Set) rank(m module, c []float64) int {
	n := 0
	for i := range s.list {
		if m.at[i] >= 0 && c[i] != 0 {
			n += s.own[i][m.at[i]].Rank
		}
	}
	return n
}

// matrix is a weight's shape as outputs and the rest.
func matrix(shape []int) (rows, cols int) {
	cols = 1
	for _, d := range shape[1:] {
		cols *= d
	}
	return shape[0], cols
}

// short cuts a product to a lower rank, and says what part of the squares stays.
func (c Cut) short(f *factors) (*factors, float64, error) {
	if c.None() {
		return f, 1, nil
	}
	_, have := f.left.Dims()
	if c.Rank >= have && c.Energy == 0 {
		return f, 1, nil
	}
	d, err := spectral.Product(f.left, f.right)
	if err != nil {
		return nil, 0, err
	}
	return c.of(d)
}

// dense is the product nearest to a tensor of rows × cols numbers.
func (c Cut) dense(src tensors.Source, name string, rows, cols int) (*made, error) {
	whole, err := readMatrix(src, name, rows, cols)
	if err != nil {
		return nil, err
	}
	most := min(rows, cols)
	if c.Rank > 0 {
		most = min(most, c.Rank)
	}
	var d *spectral.SVD
	if c.Energy > 0 {
		d, err = spectral.Holding(whole, c.Energy, most)
	} else {
		d, err = spectral.Largest(whole, most)
	}
	if err != nil {
		return nil, err
	}
	f, kept, err := c.of(d)
	return &made{f, min(rows, cols), kept, d.Energy, func(g *factors) float64 { return away(whole, g) }}, err
}

// readMatrix reads a tensor of rows × cols numbers.
func readMatrix(src tensors.Source, name string, rows, cols int) (*mat.Dense, error) {
	m := mat.NewDense(rows, cols, nil)
	row := make([]float32, cols)
	for i := range rows {
		if err := src.ReadAt(row, name, i*cols); err != nil {
			return nil, err
		}
		to := m.RawRowView(i)
		for j, x := range row {
			to[j] = float64(x)
		}
	}
	return m, nil
}

// away is the sum of squares of the difference of a matrix and a product, by blocks of
// rows.
func away(m *mat.Dense, f *factors) float64 {
	const block = 256
	rows, cols := m.Dims()
	_, k := f.left.Dims()
	total := 0.0
	for i := 0; i < rows; i += block {
		end := min(rows, i+block)
		var d mat.Dense
		d.Mul(f.left.Slice(i, end, 0, k), f.right)
		d.Sub(&d, m.Slice(i, end, 0, cols))
		for _, x := range d.RawMatrix().Data {
			total += x * x
		}
	}
	return total
}

// of cuts a decomposition: to the rank, and within that to the energy.
func (c Cut) of(d *spectral.SVD) (*factors, float64, error) {
	rank := d.Rank()
	if c.Rank > 0 {
		rank = min(rank, c.Rank)
	}
	if c.Energy > 0 {
		if k, ok := d.For(c.Energy); ok {
			rank = min(rank, k)
		}
	}
	rank = max(1, min(rank, d.Rank()))
	left, right := d.Factors(rank)
	return &factors{left, right}, d.Kept(rank), nil
}

// squares is the sum of squares of left × right, by way of two small Gram matrices.
func (f *factors) squares() float64 {
	var l, r mat.Dense
	l.Mul(f.left.T(), f.left)
	r.Mul(f.right, f.right.T())
	total := 0.0
	n, _ := l.Dims()
	for i := range n {
		for j := range n {
			total += l.At(i, j) * r.At(i, j)
		}
	}
	return max(0, total)
}

// apart is the sum of squares of the difference of two products.
func (f *factors) apart(g *factors) float64 {
	rows, a := f.left.Dims()
	_, cols := f.right.Dims()
	_, b := g.left.Dims()
	d := &factors{mat.NewDense(rows, a+b, nil), mat.NewDense(a+b, cols, nil)}
	d.left.Slice(0, rows, 0, a).(*mat.Dense).Copy(f.left)
	d.left.Slice(0, rows, a, a+b).(*mat.Dense).Copy(g.left)
	d.right.Slice(0, a, 0, cols).(*mat.Dense).Scale(-1, f.right)
	d.right.Slice(a, a+b, 0, cols).(*mat.Dense).Copy(g.right)
	return d.squares()
}
