package view

import (
	"fmt"
	"runtime"
	"slices"
	"sync"

	"gonum.org/v1/gonum/blas/gonum"

	"github.com/mergevo/mergevo/tensors"
)

// factors are the numbers of a patch.
type factors struct {
	left  []float32 // rows × rank, row major; nil for ones
	right []float32 // rank × cols, in tiles of tile columns, each row major
	tile  int
}

// tileLen returns the columns multiplied at a time: as many as let the tile of the
// right factor stay in a second-level cache of 512 KiB while all rows use it, and the
// sums in the first-level one.
func tileLen(rank, cols int) int {
	return min(cols, max(256, min(4096, 1<<17/rank)))
}

// addTo adds scale · left × right to x, elements of the matrix from off on. Each
// element is summed over the rank in order, whatever range it is asked in.
func (f *factors) addTo(x []float32, p *patch, off int) {
	if len(x) == 0 {
		return
	}
	sums := make([]float32, f.tile)
	end := off + len(x)
	for c := 0; c < p.cols; c += f.tile {
		width := min(f.tile, p.cols-c)
		tile := f.right[c*p.rank:]
		for row := off / p.cols; row*p.cols < end; row++ {
			start := row*p.cols + c
			lo, hi := max(off, start), min(end, start+width)
			if lo >= hi {
				continue
			}
			sum := sums[:hi-lo]
			for k := range p.rank {
				a := float32(1)
				if f.left != nil {
					a = f.left[row*p.rank+k]
				}
				x := tile[k*width+lo-start:][:len(sum)]
				if k == 0 { // no zero before it, which would lose the sign of its own
					for j, v := range x {
						sum[j] = a * v
					}
					continue
				}
				addProducts(sum, a, x)
			}
			y := x[lo-off : hi-off]
			for j, s := range sum {
				y[j] += float32(s * p.scale) // rounded before it is added, on every processor
			}
		}
	}
}

// addProducts adds a·x to sum, each product rounded before it is added.
func addProducts(sum []float32, a float32, x []float32) {
	if runtime.GOARCH == "amd64" { // there its loop in assembly rounds them
		gonum.Implementation{}.Saxpy(len(sum), a, x, 1, sum, 1)
		return
	}
	for j, v := range x {
		sum[j] += float32(a * v)
	}
}

// keepBytes is how much of the factors last used is kept.
const keepBytes = 64 << 20

// factorCache reads factors, and keeps the last ones: readers go through a tensor in
// many pieces, several tensors at a time, and come back to none.
type factorCache struct {
	weights *tensors.Checkpoint

	mu     sync.Mutex
	recent []*cached // the last used at the end
}

type cached struct {
	patch *patch
	bytes int
	once  sync.Once
	f     *factors
	err   error
}

func (c *factorCache) get(p *patch) (*factors, error) {
	e := c.entry(p)
	e.once.Do(func() { e.f, e.err = read(c.weights, p) })
	if e.err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.recent = slices.DeleteFunc(c.recent, func(o *cached) bool { return o == e })
	}
	return e.f, e.err
}

// entry returns the place for a patch's factors, and drops what was used longest ago.
func (c *factorCache) entry(p *patch) *cached {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := &cached{patch: p, bytes: 4 * p.rank * (p.rows + p.cols)}
	if i := slices.IndexFunc(c.recent, func(o *cached) bool { return o.patch == p }); i >= 0 {
		e = c.recent[i]
		c.recent = slices.Delete(c.recent, i, i+1)
	}
	c.recent = append(c.recent, e)
	total := 0
	for i := len(c.recent) - 1; i >= 0; i-- {
		if total += c.recent[i].bytes; total > keepBytes && i < len(c.recent)-1 {
			c.recent = slices.Delete(c.recent, 0, i+1)
			break
		}
	}
	return e
}

// read reads the factors of a patch.
func read(c *tensors.Checkpoint, p *patch) (*factors, error) {
	f := &factors{right: make([]float32, p.rank*p.cols), tile: tileLen(p.rank, p.cols)}
	lay := func(k, j int, x []float32) {
		for len(x) > 0 {
			first := j / f.tile * f.tile
			width := min(f.tile, p.cols-first)
			x = x[copy(f.right[first*p.rank+k*width+j-first:][:width-j+first], x):]
			j = first + width
		}
	}
	var err error
	if p.mid != "" {
		err = tucker(c, p, lay)
	} else {
		err = matrix(c, p.right, p.rank, p.cols, p.transposed, lay)
	}
	if err == nil && p.left != "" {
		f.left = make([]float32, p.rows*p.rank)
		err = matrix(c, p.left, p.rows, p.rank, p.transposed, func(i, k int, x []float32) {
			copy(f.left[i*p.rank+k:], x)
		})
	}
	if err != nil {
		return nil, fmt.Errorf("reading the adapter: %w", err)
	}
	return f, nil
}

// tucker gives put the rows of the product of the middle and the right factor, the
// right side of a convolution in Tucker's form: Σ_q mid[k, q, x] right[q, i] for
// input i and place x of the kernel.
func tucker(c *tensors.Checkpoint, p *patch, put func(row, col int, x []float32)) error {
	inputs := p.cols / p.kernel
	right, mid := make([]float32, p.rank*inputs), make([]float32, p.rank*p.kernel)
	if err := c.ReadAt(right, p.right, 0); err != nil {
		return err
	}
	line := make([]float32, p.cols)
	for k := range p.rank {
		if err := c.ReadAt(mid, p.mid, k*len(mid)); err != nil {
			return err
		}
		clear(line)
		for q := range p.rank {
			for i := range inputs {
				for x := range p.kernel {
					line[i*p.kernel+x] += float32(mid[q*p.kernel+x] * right[q*inputs+i])
				}
			}
		}
		put(k, 0, line)
	}
	return nil
}

// matrix reads a tensor of rows × cols, or of cols × rows where it is transposed, and
// gives pieces of its rows to put, with the row and column where they begin.
func matrix(c *tensors.Checkpoint, name string, rows, cols int, transposed bool, put func(row, col int, x []float32)) error {
	if transposed {
		line := make([]float32, rows)
		for j := range cols {
			if err := c.ReadAt(line, name, j*rows); err != nil {
				return err
			}
			for i := range line {
				put(i, j, line[i:i+1])
			}
		}
		return nil
	}
	line := make([]float32, cols)
	for i := range rows {
		if err := c.ReadAt(line, name, i*cols); err != nil {
			return err
		}
		put(i, 0, line)
	}
	return nil
}
