package niche

import (
	"runtime"

	"golang.org/x/sync/errgroup"
)

// Gram has the inner products of the seeds on any stretch of the flat order, as sums in
// float64. It is measured in one pass and keeps a matrix a block; what a stretch has
// of a block at either end is read again.
type Gram struct {
	n      int64
	count  int
	block  int64
	read   Reader
	prefix []float64           // matrices of [0, i·block), rows of count
	known  map[int64][]float64 // matrices of [0, at), at a split
	err    error
}

// Reader fills dst with the weights of seed k from lo on. It may be called from several
// goroutines.
type Reader func(k int, lo int64, dst []float32) error

// NewGram measures count seeds of n weights, a block at a time. The error is the
// reader's.
func NewGram(n int64, count int, block int64, read Reader) (*Gram, error) {
	g := &Gram{n: n, count: count, block: block, read: read, known: map[int64][]float64{}}
	size := count * count
	blocks := int((n + block - 1) / block)
	g.prefix = make([]float64, (1+blocks)*size)
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range blocks {
		group.Go(func() error {
			lo := int64(i) * block
			return g.products(g.prefix[(1+i)*size:(2+i)*size], lo, min(lo+block, n))
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for i := size; i < len(g.prefix); i++ { // in order, whoever was first
		g.prefix[i] += g.prefix[i-size]
	}
	return g, nil
}

// products adds the products on [lo, hi) to sum.
func (g *Gram) products(sum []float64, lo, hi int64) error {
	weights := make([]float32, int64(g.count)*(hi-lo))
	rows := make([][]float32, g.count)
	for k := range rows {
		rows[k] = weights[int64(k)*(hi-lo):][:hi-lo]
		if err := g.read(k, lo, rows[k]); err != nil {
			return err
		}
	}
	for k := range rows {
		for l := k; l < g.count; l++ {
			s := dot(rows[k], rows[l])
			sum[k*g.count+l] += s
			if l > k {
				sum[l*g.count+k] += s
			}
		}
	}
	return nil
}

// Err is the first error of reading a part of a block again: products are wrong since.
func (g *Gram) Err() error { return g.err }

// upTo is the matrix of [0, at). Places are those of splits: few, and asked for again
// and again.
func (g *Gram) upTo(at int64) []float64 {
	size := g.count * g.count
	i := int(at / g.block)
	if at == g.n {
		i = int((g.n + g.block - 1) / g.block)
	}
	whole := g.prefix[i*size : (i+1)*size]
	if at == g.n || at%g.block == 0 {
		return whole
	}
	if m, ok := g.known[at]; ok {
		return m
	}
	sum := append([]float64(nil), whole...)
	if err := g.products(sum, int64(i)*g.block, at); err != nil && g.err == nil {
		g.err = err
	}
	g.known[at] = sum
	return sum
}

// Product is the inner product, within [lo, hi), of two mixes of the seeds with shares
// x and y. It is not safe for concurrent use.
func (g *Gram) Product(x, y []float64, lo, hi int64) float64 {
	from, to := g.upTo(lo), g.upTo(hi)
	sum, at := 0.0, 0
	for _, u := range x {
		for _, v := range y {
			sum += u * (to[at] - from[at]) * v
			at++
		}
	}
	return sum
}
