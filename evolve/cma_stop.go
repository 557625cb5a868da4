package evolve

import (
	"math"
	"slices"
	"strings"
)

// cmaHistory is what the stop criteria remember of the scores. Values are
// negated, so that as in pycma small is good; a failed candidate is +Inf.
type cmaHistory struct {
	generations int       // told, failed ones too
	best        []float64 // of the last 10+30n/lambda generations, oldest first
	sparseBest  []float64 // best and median of every fifth generation
	sparseMed   []float64
	spread      float64 // worst minus best of the last generation
	median      float64 // of the first generation
	leastMedian float64
	anchor      []float64 // where the mean was when it last moved, and in which generation
	anchorAt    int
	flat        int     // how many generations in a row were flat
	record      float64 // the best ever, and in which generation
	recordAt    int
}

// sparseLimit bounds the sparse histories as pycma does: 1e5 generations.
const sparseLimit = 20000

// observe takes the scores of a generation, best first.
func (h *cmaHistory) observe(s strategy, ranked []Score) {
	h.generations++
	// Flat is a generation whose better three quarters are told apart by their
	// IDs only. Where accuracies are equal, ties still rank.
	a, b := ranked[0], ranked[3*len(ranked)/4]
	if a.Failed() || !b.Failed() && a.Value == b.Value && a.tie() == b.tie() {
		h.flat++
	} else {
		h.flat = 0
	}
	if a.Failed() {
		return // nothing but failures: no values to remember
	}

	best, worst := loss(a), loss(ranked[len(ranked)-1])
	h.spread = worst - best
	if h.best = append(h.best, best); len(h.best) > s.historyLimit() {
		h.best = h.best[1:]
	}
	if h.recordAt == 0 || best < h.record {
		h.record, h.recordAt = best, h.generations
	}
	mid := len(ranked) / 2
	med := loss(ranked[mid])
	if len(ranked)%2 == 0 {
		med = (loss(ranked[mid-1]) + med) / 2
	}
	if h.recordAt == h.generations && len(h.best) == 1 {
		h.median, h.leastMedian = med, med
	}
	h.leastMedian = math.Min(h.leastMedian, med)
	if h.generations%5 == 0 {
		h.sparseBest, h.sparseMed = append(h.sparseBest, best), append(h.sparseMed, med)
		if len(h.sparseBest) > sparseLimit {
			h.sparseBest, h.sparseMed = h.sparseBest[1:], h.sparseMed[1:]
		}
	}
}

// follow notes whether the mean has moved; the longer it has not, the farther it has to.
func (h *cmaHistory) follow(mean []float64, delta float64) {
	limit := 20 + 0.1*float64(h.generations)
	delta *= math.Sqrt(math.Max(1, float64(h.generations-h.anchorAt)/limit))
	moved := 0.0
	for i, x := range h.anchor {
		moved += (mean[i] - x) * (mean[i] - x)
	}
	if h.anchor == nil || delta < 0 || math.Sqrt(moved) > delta {
		h.anchor, h.anchorAt = slices.Clone(mean), h.generations
	}
}

func loss(s Score) float64 {
	if s.Failed() {
		return math.Inf(1)
	}
	return -s.Value
}

func (s strategy) historyLimit() int { return 10 + 30*s.n/s.lambda }

// bestSpread is max-min of the best values kept; NaN or +Inf if one is infinite.
func (h *cmaHistory) bestSpread() float64 { return slices.Max(h.best) - slices.Min(h.best) }

// stagnates is pycma's tolstagnation: the newest medians of best and median
// values, over a tenth of the tolerance or of the run, are no better than those
// before, and the record is old.
func (h *cmaHistory) stagnates(s strategy, tol int) bool {
	size := len(h.sparseBest)
	l := int(max(float64(tol)/10, float64(size)/10))
	if tol < 0 || size <= 100 || 2*l >= size ||
		float64(h.generations) <= float64(s.n)*(5+100/float64(s.lambda)) ||
		float64(h.generations-h.recordAt) <= float64(tol)/2 {
		return false
	}
	worse := func(x []float64) bool { return median(x[size-l:]) >= median(x[size-2*l:size-l]) }
	return worse(h.sparseMed) && worse(h.sparseBest)
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	mid := len(x) / 2
	if len(x)%2 == 0 {
		return (x[mid-1] + x[mid]) / 2
	}
	return x[mid]
}

// Stop implements Optimizer, by pycma's names: tolx, tolfun, tolfunhist,
// tolfunrel, tolxstagnation, tolflatfitness, tolfacupx, tolupsigma, tolconditioncov, tolstagnation,
// noeffectaxis, noeffectcoord, maxiter. CMAOptions says when.
func (c *CMA) Stop() string {
	if c.history.generations == 0 {
		return ""
	}
	var reasons []string
	for _, r := range cmaStops {
		if r.met(c) {
			reasons = append(reasons, r.name)
		}
	}
	return strings.Join(reasons, ", ")
}

// cmaStops are pycma's criteria in its order, but for one thing: a spread of
// exactly zero is not convergence but flatness, MaxFlat's business, as equal
// accuracies are common.
var cmaStops = []struct {
	name string
	met  func(*CMA) bool
}{
	{"maxiter", func(c *CMA) bool {
		return c.options.MaxIter > 0 && c.history.generations >= c.options.MaxIter
	}},
	{"tolfacupx", func(c *CMA) bool {
		start := math.Min(c.dist.sigma0, c.dist.maxStd)
		return c.options.TolFacUpX > 0 && c.dist.some(func(i int) bool {
			return c.dist.std(i) > start*c.options.TolFacUpX
		})
	}},
	{"tolx", func(c *CMA) bool {
		d := c.dist
		return !d.some(func(i int) bool {
			return d.std(i) >= c.options.TolX || d.sigma*d.scale[i]*math.Abs(d.pc[i]) >= c.options.TolX
		})
	}},
	{"tolfun", func(c *CMA) bool {
		h := c.history
		return len(h.best) > 0 && h.spread > 0 && h.spread < c.options.TolFun && h.bestSpread() < c.options.TolFun
	}},
	{"tolfunhist", func(c *CMA) bool {
		h := c.history
		return len(h.best) > 9 && h.bestSpread() > 0 && h.bestSpread() < c.options.TolFunHist
	}},
	{"tolfunrel", func(c *CMA) bool {
		h := c.history
		return h.spread > 0 && h.spread < c.options.TolFunRel*(h.median-h.leastMedian)
	}},
	{"tolxstagnation", func(c *CMA) bool {
		h := c.history
		return h.anchorAt > 0 && float64(h.generations-h.anchorAt) > 20+0.1*float64(h.generations)
	}},
	{"tolstagnation", func(c *CMA) bool {
		return c.history.stagnates(c.dist.strategy, c.options.TolStagnation)
	}},
	{"tolupsigma", func(c *CMA) bool {
		d := c.dist
		return c.options.TolUpSigma > 0 && d.sigma/d.longest() > d.sigma0*c.options.TolUpSigma/d.moved
	}},
	{"noeffectcoord", func(c *CMA) bool {
		d := c.dist
		return d.some(func(i int) bool { return d.mean[i] == d.mean[i]+0.2*d.std(i) })
	}},
	{"noeffectaxis", func(c *CMA) bool {
		d := c.dist
		j := c.history.generations % d.n
		return !d.some(func(i int) bool {
			return d.mean[i] != d.mean[i]+0.1*d.sigma*d.scale[i]*d.axis(j, i)
		})
	}},
	{"tolconditioncov", func(c *CMA) bool {
		d := c.dist
		return c.options.TolConditionCov > 0 && !d.separable && d.axes[d.n-1] > math.Sqrt(c.options.TolConditionCov)*d.axes[0]
	}},
	{"tolflatfitness", func(c *CMA) bool {
		return c.options.MaxFlat >= 0 && c.history.flat > c.options.MaxFlat
	}},
}

// longest is the longest axis of C.
func (d *distribution) longest() float64 {
	if d.separable {
		return 1
	}
	return d.axes[d.n-1]
}

// axis is coordinate i of the axis j of C.
func (d *distribution) axis(j, i int) float64 {
	switch {
	case d.factored():
		return d.basis[j*d.n+i]
	case !d.separable:
		return d.axes[j] * d.basis[j*d.n+i]
	case i == j:
		return 1
	}
	return 0
}

// some reports whether f holds for a coordinate.
func (d *distribution) some(f func(i int) bool) bool {
	for i := range d.n {
		if f(i) {
			return true
		}
	}
	return false
}
