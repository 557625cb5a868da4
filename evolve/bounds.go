package evolve

import (
	"math"
	"slices"
)

// boundTransform folds the real line onto [lo, hi]: the identity over most of the
// interval, quadratic near its ends, periodic and mirrored beyond. An optimizer
// of unbounded spaces thus never sees a wall, and nothing is drawn twice.
// It is pycma's BoxConstraintsLinQuadTransformation, for finite bounds.
type boundTransform struct {
	lo, hi             float64
	marginLo, marginHi float64
}

// unitBounds is the transform of every coordinate of the unit cube.
var unitBounds = newBoundTransform(0, 1)

func newBoundTransform(lo, hi float64) boundTransform {
	margin := func(end float64) float64 {
		return math.Min((hi-lo)/2, 0.05*math.Max(1, math.Abs(end)))
	}
	return boundTransform{lo, hi, margin(lo), margin(hi)}
}

// fold maps any finite x into [lo, hi].
func (t boundTransform) fold(x float64) float64 {
	left := t.lo - 2*t.marginLo - (t.hi-t.lo)/2
	if x < left || x > t.hi+2*t.marginHi+(t.hi-t.lo)/2 {
		period := 2 * (t.hi - t.lo + t.marginLo + t.marginHi)
		x -= period * math.Floor((x-left)/period)
	}
	if x > t.hi+t.marginHi {
		x -= 2 * (x - t.hi - t.marginHi)
	}
	if x < t.lo-t.marginLo {
		x += 2 * (t.lo - t.marginLo - x)
	}
	if x < t.lo+t.marginLo {
		d := x - (t.lo - t.marginLo)
		x = t.lo + d*d/4/t.marginLo
	}
	if x > t.hi-t.marginHi {
		d := x - (t.hi + t.marginHi)
		x = t.hi - d*d/4/t.marginHi
	}
	return math.Max(t.lo, math.Min(x, t.hi))
}

// beyond is how far x lies outside what fold maps to [lo, hi] for the first time.
func (t boundTransform) beyond(x float64) float64 {
	return math.Max(0, math.Max(t.lo-t.marginLo-x, x-t.hi-t.marginHi))
}

// penalize takes from the values what samples behind the bounds cost, see
// CMAOptions.Penalty: the adaptive penalty of Hansen et al. 2009 (UH-CMA-ES, section
// IV-B) with one weight for all coordinates, beside the fold that makes any sample a
// point within the bounds.
func (c *CMA) penalize(told []Scored[[]float64], begun uint64) {
	var values []float64
	for _, s := range told {
		if !s.Failed() && !math.IsInf(s.Value, 0) {
			values = append(values, s.Value)
		}
	}
	if len(values) == 0 {
		return
	}
	slices.Sort(values)
	spread := values[(3*len(values)-1)/4] - values[(len(values)-1)/4]
	if !(spread > 0) || math.IsInf(spread, 0) {
		return
	}
	for i := range told {
		sum, next := 0.0, 0
		for g, x := range c.x[told[i].ID-begun] {
			if next < len(c.margin.lattices) && c.margin.lattices[next].gene == g {
				next++ // it is not folded
				continue
			}
			d := unitBounds.beyond(x)
			sum += d * d
		}
		told[i].Value -= c.options.Penalty * spread * sum
	}
}

// unfold is the inverse of fold nearest to y, which lies in [lo, hi].
func (t boundTransform) unfold(y float64) float64 {
	switch {
	case y < t.lo+t.marginLo:
		return t.lo - t.marginLo + 2*math.Sqrt(t.marginLo*(y-t.lo))
	case y < t.hi-t.marginHi:
		return y
	}
	return t.hi + t.marginHi - 2*math.Sqrt(t.marginHi*(t.hi-y))
}
