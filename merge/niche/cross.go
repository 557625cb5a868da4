package niche

import (
	"math"
	"math/rand/v2"
)

// Crossing is how two parents become a child.
type Crossing struct {
	// Split draws a split point; without one the whole chromosome has one ratio.
	Split bool

	// Straight mixes along the line between the parents (LERP) instead of the arc
	// (SLERP).
	Straight bool

	// Apart takes the angle of each side of the split (the paper's equation 2) instead
	// of the chromosome's (the authors' program).
	Apart bool

	// Chromosomes are where the stretches end that are split each for itself, such as
	// all attention or all MLP weights; the last is the number of weights.
	Chromosomes []int64
}

// Cut is where a chromosome is split, and what share the second parent has before that;
// behind it has the complement.
type Cut struct {
	At    int64
	Ratio float64
}

// Draw draws a cut for each chromosome.
func (c Crossing) Draw(rng *rand.Rand) []Cut {
	cuts := make([]Cut, len(c.Chromosomes))
	from := int64(0)
	for i, end := range c.Chromosomes {
		cuts[i] = Cut{At: end}
		if c.Split {
			cuts[i].At = from + rng.Int64N(end-from) // at its start: all is behind
		}
		cuts[i].Ratio = rng.Float64()
		from = end
	}
	return cuts
}

// stretch is [lo, hi) with what share each parent has.
type stretch struct {
	lo, hi int64
	sx, sy float64
}

// stretches are the sides of all cuts. product is the inner product of two parents, 0
// the first, within [lo, hi).
func (c Crossing) stretches(cuts []Cut, product func(p, q int, lo, hi int64) float64) []stretch {
	var out []stretch
	from := int64(0)
	for i, end := range c.Chromosomes {
		angle := func(lo, hi int64) float64 {
			if c.Straight {
				return 0
			}
			cos := product(0, 1, lo, hi) / math.Sqrt(product(0, 0, lo, hi)*product(1, 1, lo, hi))
			return math.Acos(math.Max(-1, math.Min(1, cos)))
		}
		whole := 0.0
		if !c.Apart {
			whole = angle(from, end)
		}
		side := func(lo, hi int64, ratio float64) {
			if lo == hi {
				return
			}
			omega := whole
			if c.Apart {
				omega = angle(lo, hi)
			}
			s := stretch{lo: lo, hi: hi}
			s.sx, s.sy = arc(omega, ratio)
			out = append(out, s)
		}
		side(from, cuts[i].At, cuts[i].Ratio)
		side(cuts[i].At, end, 1-cuts[i].Ratio)
		from = end
	}
	return out
}

// LeastSine is the sine below which an arc is taken for a line. The authors' 1e-6 is for
// float32, whose arc cosine has nothing between 0 and 3e-4; in float64 so small an angle
// is rounding, and of opposite parents a share of a million.
const LeastSine = 1e-4

// arc is what shares the ends of an arc have at t of it. Where they are parallel or
// opposite, or one of them is 0 (omega is NaN), it is the line between them.
func arc(omega, t float64) (x, y float64) {
	sin := math.Sin(omega)
	if !(sin > LeastSine) {
		return 1 - t, t
	}
	return math.Sin((1-t)*omega) / sin, math.Sin(t*omega) / sin
}

// Cross merges two models that are mixes of the seeds of g.
func (c Crossing) Cross(a, b Segments, cuts []Cut, g *Gram) Segments {
	parents := [...]Segments{a, b}
	var out Segments
	for _, s := range c.stretches(cuts, func(p, q int, lo, hi int64) float64 { return product(parents[p], parents[q], g, lo, hi) }) {
		both(a, b, s.lo, s.hi, func(_, hi int64, x, y []float64) {
			row := make([]float64, len(x))
			for k := range row {
				row[k] = s.sx*x[k] + s.sy*y[k]
			}
			out.add(hi, row)
		})
	}
	return out
}

// CrossDense merges two flat models of their own.
func (c Crossing) CrossDense(dst, a, b []float32, cuts []Cut) {
	parents := [...][]float32{a, b}
	for _, s := range c.stretches(cuts, func(p, q int, lo, hi int64) float64 { return dot(parents[p][lo:hi], parents[q][lo:hi]) }) {
		for i := s.lo; i < s.hi; i++ {
			dst[i] = float32(s.sx*float64(a[i]) + s.sy*float64(b[i]))
		}
	}
}

func dot(x, y []float32) float64 {
	sum := 0.0
	for i, v := range x {
		sum += float64(v) * float64(y[i])
	}
	return sum
}
