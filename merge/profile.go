package merge

import (
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/mergevo/mergevo/tensors"
)

// blockLen is the number of elements measured at a time. Sums are taken block by
// block in index order, so they do not depend on how the work is shared out.
const blockLen = 1 << 16

// Profile is what a merge needs to measure on one tensor of one set of sources
// before coefficients are known. Everything is measured on first use and kept.
// All statistics are taken on the host in float64 over deltas formed in float32,
// as the device forms them. It is safe for use by several goroutines.
type Profile struct {
	tensor string
	n      int
	base   *tensors.Checkpoint   // nil without a base
	source []*tensors.Checkpoint // in recipe order
	seed   uint64
	grid   bool // measure all cuts of the density grid on the first one asked for

	mu       sync.Mutex
	gram     [][]float64
	cuts     []map[rank]Cut
	keptL1   map[keptKey]float64
	noiseL1  []*noiseBins
	totalL1  []float64
	hasTotal []bool
}

type keptKey struct {
	source    int
	top       bool
	low, high Cut
}

// newProfile prepares the profile of one tensor; nothing is read yet.
func newProfile(p *Parents, s *Spec, info tensors.Info, grid bool) *Profile {
	pr := &Profile{tensor: info.Name, n: info.Len(), seed: s.Seed, grid: grid}
	if s.Base >= 0 {
		pr.base = p.of(s.Base, info.Name)
	}
	for _, i := range s.Inputs {
		pr.source = append(pr.source, p.of(i, info.Name))
	}
	k := len(pr.source)
	pr.cuts = make([]map[rank]Cut, k)
	pr.keptL1 = map[keptKey]float64{}
	pr.noiseL1 = make([]*noiseBins, k)
	pr.totalL1, pr.hasTotal = make([]float64, k), make([]bool, k)
	return pr
}

// Len returns the number of elements of the tensor.
func (p *Profile) Len() int { return p.n }

// Gram returns the inner products of the base (first, if there is one) and the
// sources with each other.
func (p *Profile) Gram() ([][]float64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gram != nil {
		return p.gram, nil
	}
	all := p.source
	if p.base != nil {
		all = append([]*tensors.Checkpoint{p.base}, all...)
	}
	gram := make([][]float64, len(all))
	for i := range gram {
		gram[i] = make([]float64, len(all))
	}
	rows := make([][]float32, len(all))
	for i := range rows {
		rows[i] = make([]float32, blockLen)
	}
	for off := 0; off < p.n; off += blockLen {
		n := min(blockLen, p.n-off)
		for i, c := range all {
			if err := c.ReadAt(rows[i][:n], p.tensor, off); err != nil {
				return nil, err
			}
		}
		for i := range all {
			for j := 0; j <= i; j++ {
				gram[i][j] += dot(rows[i][:n], rows[j][:n])
			}
		}
	}
	for i := range gram {
		for j := range i {
			gram[j][i] = gram[i][j]
		}
	}
	p.gram = gram
	return gram, nil
}

func dot(a, b []float32) float64 {
	var s float64
	b = b[:len(a)]
	for i, x := range a {
		s += float64(x) * float64(b[i])
	}
	return s
}

// Top returns the cut that keeps the count largest |d| of a source.
func (p *Profile) Top(source, count int) (Cut, error) {
	switch {
	case count <= 0:
		return cutTopEmpty, nil
	case count >= p.n:
		return cutAll, nil
	}
	return p.cut(source, rank{true, count})
}

// Below returns the cut that keeps the count smallest |d| of a source.
func (p *Profile) Below(source, count int) (Cut, error) {
	switch {
	case count <= 0:
		return cutNone, nil
	case count >= p.n:
		return cutEvery, nil
	}
	return p.cut(source, rank{false, count})
}

// densityGrid is the number of steps on which a search proposes densities.
const densityGrid = 1024

func (p *Profile) cut(source int, r rank) (Cut, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c, ok := p.cuts[source][r]; ok {
		return c, nil
	}
	ranks := []rank{r}
	if p.grid && p.cuts[source] == nil {
		ranks = append(ranks, gridRanks(p.n, r)...)
	}
	found, err := selectCuts(p.n, ranks, func(visit func(int, []float32)) error {
		return p.magnitudes(source, visit)
	})
	if err != nil {
		return Cut{}, err
	}
	if p.cuts[source] == nil {
		p.cuts[source] = found
	}
	for k, c := range found {
		p.cuts[source][k] = c
	}
	return found[r], nil
}

// gridRanks lists the ranks that densities on the grid ask for, besides r.
func gridRanks(n int, r rank) []rank {
	seen := map[int]bool{0: true, n: true, r.count: true}
	var out []rank
	for i := 1; i <= densityGrid; i++ {
		count := topCount(float64(i)/densityGrid, n)
		if !r.top {
			count = n - count
		}
		if !seen[count] {
			seen[count] = true
			out = append(out, rank{r.top, count})
		}
	}
	return out
}

// deltas calls visit with blocks of source - base (or of the source, without a
// base) in index order. The block is reused.
func (p *Profile) deltas(source int, visit func(off int, d []float32)) error {
	d, b := make([]float32, blockLen), make([]float32, blockLen)
	for off := 0; off < p.n; off += blockLen {
		n := min(blockLen, p.n-off)
		if err := p.source[source].ReadAt(d[:n], p.tensor, off); err != nil {
			return err
		}
		if p.base != nil {
			if err := p.base.ReadAt(b[:n], p.tensor, off); err != nil {
				return err
			}
			for i := range n {
				d[i] -= b[i]
			}
		}
		visit(off, d[:n])
	}
	return nil
}

// smallestNormal is the least float32 that every backend keeps: XLA on CPU
// flushes smaller ones to zero, so masks treat them as zero everywhere.
const smallestNormal = 0x1p-126

// magnitudes is deltas with |d|, subnormals flushed to zero.
func (p *Profile) magnitudes(source int, visit func(off int, mag []float32)) error {
	finite := true
	err := p.deltas(source, func(off int, d []float32) {
		for i, x := range d {
			m := math.Float32frombits(math.Float32bits(x) &^ (1 << 31))
			if m < smallestNormal {
				m = 0
			}
			finite = finite && m <= math.MaxFloat32
			d[i] = m
		}
		visit(off, d)
	})
	if err == nil && !finite {
		err = fmt.Errorf("%s: the task vector of source %d holds NaN or Inf, so its entries have no order", p.tensor, source+1)
	}
	return err
}

// total returns sum |d| of a source. The caller holds the lock.
func (p *Profile) total(source int) (float64, error) {
	if p.hasTotal[source] {
		return p.totalL1[source], nil
	}
	s, err := p.sumKept(source, func(float32, uint32) bool { return true })
	if err == nil {
		p.totalL1[source], p.hasTotal[source] = s, true
	}
	return s, err
}

func (p *Profile) sumKept(source int, keep func(mag float32, index uint32) bool) (float64, error) {
	var sum float64
	err := p.magnitudes(source, func(off int, mag []float32) {
		var block float64
		for i, m := range mag {
			if keep(m, uint32(off+i)) {
				block += float64(m)
			}
		}
		sum += block
	})
	return sum, err
}

// rescaleTop returns sum|d| / sum|kept d| for the entries at or above a cut.
func (p *Profile) rescaleTop(source int, c Cut) (float64, error) {
	return p.rescale(keptKey{source: source, top: true, low: c}, c.Top)
}

// rescaleBand is rescaleTop for the entries below one cut and not below another.
func (p *Profile) rescaleBand(source int, low, high Cut) (float64, error) {
	return p.rescale(keptKey{source: source, low: low, high: high}, func(m float32, i uint32) bool {
		return high.Below(m, i) && !low.Below(m, i)
	})
}

func (p *Profile) rescale(k keptKey, keep func(float32, uint32) bool) (float64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f, ok := p.keptL1[k]; ok {
		return f, nil
	}
	all, err := p.total(k.source)
	if err != nil {
		return 0, err
	}
	kept, err := p.sumKept(k.source, keep)
	if err != nil {
		return 0, err
	}
	p.keptL1[k] = ratioL1(all, kept)
	return p.keptL1[k], nil
}

// ratioL1 is mergekit's L1 match: no rescale where either sum is next to nothing.
func ratioL1(all, kept float64) float64 {
	if all < 1e-7 || kept < 1e-7 {
		return 1
	}
	return all / kept
}

// noise returns the key of a source's noise.
func (p *Profile) noise(source int) [2]uint32 { return noiseKey(p.seed, source, p.tensor) }

// noiseBins holds sum |d| by the top ten bits of the noise, so that the mass kept
// at any density of the grid is a prefix sum, the same whoever asks.
type noiseBins [densityGrid]float64

// NoiseRescale returns sum|d| / sum|kept d| of a source for DARE at density p: the
// whole bins below p, then the part of the bin that p cuts.
func (p *Profile) NoiseRescale(source int, density float64) (float64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	bins, err := p.bins(source)
	if err != nil {
		return 0, err
	}
	const shift = 32 - 10
	count := noiseCount(density)
	whole := int(count >> shift)
	var all, kept float64
	for i, s := range bins {
		all += s
		if i < whole {
			kept += s
		}
	}
	if count&(1<<shift-1) != 0 {
		key, limit := p.noise(source), noiseLimit(density)
		part, err := p.sumKept(source, func(_ float32, i uint32) bool {
			h := noiseAt(key, i)
			return int(h>>shift) == whole && h <= limit
		})
		if err != nil {
			return 0, err
		}
		kept += part
	}
	return ratioL1(all, kept), nil
}

func (p *Profile) bins(source int) (*noiseBins, error) {
	if p.noiseL1[source] != nil {
		return p.noiseL1[source], nil
	}
	key := p.noise(source)
	var bins noiseBins
	err := p.magnitudes(source, func(off int, mag []float32) {
		for i, m := range mag {
			bins[noiseAt(key, uint32(off+i))>>22] += float64(m)
		}
	})
	if err != nil {
		return nil, err
	}
	p.noiseL1[source] = &bins
	return &bins, nil
}

// Cause explains a non-finite merged tensor: it looks for NaN or Inf among the
// inputs, whose names are given base first, else blames the merge.
func (p *Profile) Cause(ctx context.Context, names []string) error {
	all := p.source
	if p.base != nil {
		all = append([]*tensors.Checkpoint{p.base}, all...)
	}
	for i, c := range all {
		at, value, err := firstNonfinite(ctx, c, p.tensor, p.n)
		if err != nil {
			return err
		}
		if at >= 0 {
			return fmt.Errorf("%s: %s holds %g at index %d (--allow-nonfinite merges it all the same)", p.tensor, names[i], value, at)
		}
	}
	return fmt.Errorf("%s: the merge gives NaN or Inf although every input is finite: a weight is too large or a divisor too small (--allow-nonfinite writes it all the same)", p.tensor)
}
