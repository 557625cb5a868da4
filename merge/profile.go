package merge

import (
	"context"
	"fmt"
	"maps"
	"slices"
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
	shape  []int
	n      int
	base   tensors.Source   // nil without a base
	source []tensors.Source // in recipe order
	seed   uint64
	// statistic has the file of each source, nil where there is none.
	statistic []*attached
	ofMethod  *Statistic
	solves    bool // the method solves for the tensor as a whole
	// asMergekit asks for mergekit's numbers where ours differ by design.
	asMergekit bool
	rankAxis   int  // the axis along which entries are ranked, -1 for none
	grid       bool // measure all cuts of the density grid on the first one asked for

	mu         sync.Mutex
	grams      map[gramKey][]Gram
	cuts       []map[rank]Cut
	keptL1     map[keptKey]float64
	noiseL1    []*noiseBins
	measured   map[string]any // what single methods measure, by their own keys
	global     Values         // of a method that derives: it may read those that are Fixed
	deriving   sync.Mutex
	derivation Derivation // nil until it is asked for
	totalL1    []float64
	hasTotal   []bool
}

type keptKey struct {
	source    int
	top       bool
	low, high Cut
}

// newProfile prepares the profile of one tensor; nothing is read yet.
func newProfile(p *Parents, s *Spec, info tensors.Info, grid bool) *Profile {
	pr := &Profile{tensor: info.Name, shape: info.Shape, n: info.Len(), seed: s.Seed, asMergekit: s.AsMergekit, grid: grid}
	pr.rankAxis = -1
	if s.Method.RankAxis != nil && s.rows(info).Count > 0 {
		pr.rankAxis = s.Method.RankAxis(info.Shape)
	}
	if s.Method.Derive != nil {
		pr.global, _ = s.Params(info.Name)
	}
	part := s.Parts[p.part[info.Name]]
	if part.Base >= 0 {
		pr.base = p.of(part.Base, info.Name)
	}
	for _, i := range part.Inputs {
		pr.source = append(pr.source, p.of(i, info.Name))
		if s.Method.Statistic != nil {
			pr.statistic = append(pr.statistic, p.statisticOf(s.Method.Statistic, i, info.Name))
		}
	}
	pr.ofMethod = s.Method.Statistic
	pr.solves = s.Method.Solve != nil && !slices.Contains(pr.statistic, nil) && s.Method.Solves(pr)
	k := len(pr.source)
	pr.cuts = make([]map[rank]Cut, k)
	pr.keptL1 = map[keptKey]float64{}
	pr.grams = map[gramKey][]Gram{}
	pr.measured = map[string]any{}
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

// statistics reports whether an elementwise statistic of each source is an operand.
func (p *Profile) statistics() bool { return p.ofMethod != nil && p.ofMethod.Elementwise }

// Len returns the number of elements of the tensor.
func (p *Profile) Len() int { return p.n }

// Top returns the cut that keeps the count largest |d| of a source.
func (p *Profile) Top(source, count int) (Cut, error) {
	switch {
	case count <= 0:
		return cutTopEmpty, nil
	case count >= p.n:
		return cutAll, nil
	}
	r := rank{true, count}
	found, err := p.cut(source, r)
	return found[r], err
}

// Band returns the cuts that keep, of the entries of a source by rising |d|, the
// first lo and the first hi.
func (p *Profile) Band(source, lo, hi int) ([2]Cut, error) {
	var out [2]Cut
	var ranks []rank
	for i, count := range []int{lo, hi} {
		switch {
		case count <= 0:
			out[i] = cutNone
		case count >= p.n:
			out[i] = cutEvery
		default:
			ranks = append(ranks, rank{false, count})
		}
	}
	found, err := p.cut(source, ranks...)
	for i, count := range []int{lo, hi} {
		if count > 0 && count < p.n {
			out[i] = found[rank{false, count}]
		}
	}
	return out, err
}

// densityGrid is the number of steps on which a search proposes densities.
const densityGrid = 1024

// cut returns the cuts of some ranks, measuring those that are not known yet in one
// go.
func (p *Profile) cut(source int, ranks ...rank) (map[rank]Cut, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var missing []rank
	for _, r := range ranks {
		if _, ok := p.cuts[source][r]; !ok {
			missing = append(missing, r)
		}
	}
	if missing == nil {
		return p.cuts[source], nil
	}
	if p.grid && p.cuts[source] == nil {
		missing = append(missing, gridRanks(p.n, missing[0])...)
	}
	slices.SortFunc(missing, func(a, b rank) int { return a.count - b.count })
	found, err := p.selectCuts(source, slices.Compact(missing))
	if err != nil {
		return nil, err
	}
	// A new map: the old one may be being read.
	known := maps.Clone(found)
	for k, c := range p.cuts[source] {
		known[k] = c
	}
	p.cuts[source] = known
	return known, nil
}

// selectCuts finds the cuts of some ranks of a source.
func (p *Profile) selectCuts(source int, ranks []rank) (map[rank]Cut, error) {
	if len(ranks) <= 2 {
		scratch := make([]float32, min(windowBlock, p.n))
		found, ok, err := selectCutsNear(p.n, ranks, func(off int, mag []float32) error {
			return p.magnitudeAt(source, off, mag, scratch)
		})
		if ok || err != nil {
			return found, err
		}
	}
	return selectCuts(p.n, ranks, func(visit func(int, []float32)) error { return p.magnitudes(source, visit) })
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

// delta reads source - base (or the source, without a base) from element off on;
// scratch is as long as dst, or longer.
func (p *Profile) delta(source, off int, dst, scratch []float32) error {
	if err := p.source[source].ReadAt(dst, p.tensor, off); err != nil {
		return err
	}
	if p.base == nil {
		return nil
	}
	b := scratch[:len(dst)]
	if err := p.base.ReadAt(b, p.tensor, off); err != nil {
		return err
	}
	for i := range dst {
		dst[i] -= b[i]
	}
	return nil
}

// mostMeasured bounds what a search keeps of measurements at its candidates' values.
const mostMeasured = 256

// once returns what measure gives, and keeps it for the key until there are too many.
func once[T any](p *Profile, key string, measure func() (T, error)) (T, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if v, ok := p.measured[key]; ok {
		return v.(T), nil
	}
	if len(p.measured) >= mostMeasured {
		clear(p.measured)
	}
	v, err := measure()
	if err == nil {
		p.measured[key] = v
	}
	return v, err
}

// cause explains a non-finite merged tensor: it looks for NaN or Inf among the
// inputs, and names the first model or file of statistics that holds some, else blames
// the merge.
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
	if p.statistics() { // the merge read them all
		for _, f := range p.statistic {
			at, value, err := firstNonfinite(ctx, f, p.tensor, p.n)
			if err != nil {
				return err
			}
			if at >= 0 {
				return fmt.Errorf("%s: %s holds %g at index %d", p.tensor, f.Path(), value, at)
			}
		}
	}
	return fmt.Errorf("%s: the merge gives NaN or Inf although every input is finite: a weight is too large or a divisor too small (--allow-nonfinite writes it all the same)", p.tensor)
}
