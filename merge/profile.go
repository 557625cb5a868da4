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
	base   tensors.Source   // nil without a base
	source []tensors.Source // in recipe order
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
	part := s.Parts[p.part[info.Name]]
	if part.Base >= 0 {
		pr.base = p.of(part.Base, info.Name)
	}
	for _, i := range part.Inputs {
		pr.source = append(pr.source, p.of(i, info.Name))
	}
	k := len(pr.source)
	pr.cuts = make([]map[rank]Cut, k)
	pr.keptL1 = map[keptKey]float64{}
	pr.noiseL1 = make([]*noiseBins, k)
	pr.totalL1, pr.hasTotal = make([]float64, k), make([]bool, k)
	return pr
}

// inputs lists the checkpoints that are merged, the base first if there is one.
func (p *Profile) inputs() []tensors.Source {
	if p.base == nil {
		return p.source
	}
	return append([]tensors.Source{p.base}, p.source...)
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
	all := p.inputs()
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
	var largest uint32
	err := p.deltas(source, func(off int, d []float32) {
		for i, x := range d {
			bits := math.Float32bits(x) &^ (1 << 31)
			if bits < math.Float32bits(smallestNormal) {
				bits = 0
			}
			largest = max(largest, bits)
			d[i] = math.Float32frombits(bits)
		}
		visit(off, d)
	})
	if err == nil && largest > math.Float32bits(math.MaxFloat32) {
		err = fmt.Errorf("%s: the task vector of source %d holds NaN or Inf, so its entries have no order", p.tensor, source+1)
	}
	return err
}

// cause explains a non-finite merged tensor: it looks for NaN or Inf among the
// inputs, and names the first model that holds some, else blames the merge.
func (p *Profile) cause(ctx context.Context, s *Spec, parents *Parents) error {
	read := s.inputs(parents, p.tensor)
	for i, c := range p.inputs() {
		at, value, err := firstNonfinite(ctx, c, p.tensor, p.n)
		if err != nil {
			return err
		}
		if at >= 0 {
			return fmt.Errorf("%s: %s holds %g at index %d (--allow-nonfinite merges it all the same)", p.tensor, parents.names[read[i]], value, at)
		}
	}
	return fmt.Errorf("%s: the merge gives NaN or Inf although every input is finite: a weight is too large or a divisor too small (--allow-nonfinite writes it all the same)", p.tensor)
}
