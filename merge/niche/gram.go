package niche

// Gram has the inner products of the seeds on any stretch of the flat order, as sums in
// float64. It is measured in one pass and keeps a matrix a block; what a stretch has
// of a block at either end is read again.
type Gram struct {
	n      int64
	count  int
	block  int64
	read   func(k int, lo, hi int64) []float32
	prefix []float64           // matrices of [0, i·block), rows of count
	known  map[int64][]float64 // matrices of [0, at), at a split
}

// NewGram measures count seeds of n weights; read returns weights [lo, hi) of seed k,
// for as long as it takes to call it once more with another seed.
func NewGram(n int64, count int, block int64, read func(k int, lo, hi int64) []float32) *Gram {
	g := &Gram{n: n, count: count, block: block, read: read, known: map[int64][]float64{}}
	sum := make([]float64, count*count)
	g.prefix = append(g.prefix, sum...)
	for lo := int64(0); lo < n; lo += block {
		g.add(sum, lo, min(lo+block, n))
		g.prefix = append(g.prefix, sum...)
	}
	return g
}

// add adds the products on [lo, hi) to sum.
func (g *Gram) add(sum []float64, lo, hi int64) {
	rows := make([][]float32, g.count)
	for k := range rows {
		rows[k] = append([]float32(nil), g.read(k, lo, hi)...)
	}
	for k := range rows {
		for l := k; l < g.count; l++ {
			s := 0.0
			for i, v := range rows[k] {
				s += float64(v) * float64(rows[l][i])
			}
			sum[k*g.count+l] += s
			if l > k {
				sum[l*g.count+k] += s
			}
		}
	}
}

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
	g.add(sum, int64(i)*g.block, at)
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
