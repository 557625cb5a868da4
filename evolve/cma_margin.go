package evolve

import (
	"math"
)

// margin keeps whole numbers and choices moving (Hamano et al. 2022, CMA-ES with
// Margin, arXiv:2205.13482): once the distribution of a discrete coordinate lies
// within one value, no sample would ever have another. It corrects mean and spread
// so that each side keeps at least alpha/2 of the probability.
type margin struct {
	alpha    float64
	lattices []lattice
}

// lattice is a coordinate with values low, low + step, …, size of them.
type lattice struct {
	gene      int
	low, step float64
	size      int
	// stretch is how much wider the coordinate is encoded than it was drawn, A of
	// the paper.
	stretch float64
}

func newMargin(s strategy) *margin { return &margin{alpha: 1 / float64(s.n*s.lambda)} }

func (m *margin) add(l lattice) {
	l.stretch = 1
	m.lattices = append(m.lattices, l)
}

// stretches returns A for n coordinates, 1 for continuous ones.
func (m *margin) stretches(n int) []float64 {
	a := make([]float64, n)
	for i := range a {
		a[i] = 1
	}
	for _, l := range m.lattices {
		a[l.gene] = l.stretch
	}
	return a
}

// encode replaces the discrete coordinates of a sample by the values they mean.
func (m *margin) encode(x []float64, d *distribution) {
	for _, l := range m.lattices {
		mean := d.mean[l.gene]
		x[l.gene] = l.value(l.index((x[l.gene]-mean)*l.stretch + mean))
	}
}

func (l lattice) value(i int) float64 { return l.low + float64(i)*l.step }

// index is the value nearest to x, the lower one of two.
func (l lattice) index(x float64) int {
	i := math.Ceil((x-l.low)/l.step - 0.5)
	return int(math.Max(0, math.Min(i, float64(l.size-1))))
}

// limits are the borders to the values beside that of x: at the ends, of the value
// next to it on the one side there is.
func (l lattice) limits(x float64) (low, up float64) {
	i := l.index(x)
	border := func(i int) float64 { return l.value(i) + l.step/2 }
	return border(max(0, min(i-1, l.size-2))), border(max(0, min(i, l.size-2)))
}

// correct moves the mean and the stretches after an update (the paper's section 4).
func (m *margin) correct(d *distribution) {
	for k := range m.lattices {
		l := &m.lattices[k]
		mean, std := d.mean[l.gene], d.std(l.gene)
		low, up := l.limits(mean)
		below, above := normalBelow((low-mean)/(std*l.stretch)), normalBelow((mean-up)/(std*l.stretch))
		if math.Max(below, above) > 0.5 { // at an end: two values, one border
			if math.Min(below, above) < m.alpha {
				away := std * l.stretch * normalQuantile(1-m.alpha)
				if mean > up {
					d.mean[l.gene] = up + away
				} else if mean < up {
					d.mean[l.gene] = up - away
				}
			}
			continue
		}
		between := 1 - (below + above)
		below, above = math.Max(below, m.alpha/2), math.Max(above, m.alpha/2)
		excess := (1 - below - above - between) / (below + between + above - 3*m.alpha/2)
		below, above = below+excess*(below-m.alpha/2), above+excess*(above-m.alpha/2)
		clip := func(p float64) float64 { return math.Max(1e-10, math.Min(p, 0.5-1e-10)) }
		a, b := normalQuantile(1-clip(below)), normalQuantile(1-clip(above))
		l.stretch = (up - low) / ((a + b) * std)
		d.mean[l.gene] = (low*b + up*a) / (a + b)
	}
}

// normalBelow is the probability that a standard normal number is at most x.
func normalBelow(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }

// normalQuantile is the x of which normalBelow is p.
func normalQuantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }
