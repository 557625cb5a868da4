package evolve

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// CMAOptions configures CMA-ES. The zero value is good: pycma's defaults but
// where said. Lengths are in coordinates of the unit cube; a negative tolerance
// switches its criterion off.
type CMAOptions struct {
	// Population is the number of candidates a generation, at least 2.
	// Default 4 + floor(3 ln n).
	Population int

	// Sigma is the first standard deviation in every coordinate, in (0, 1];
	// above 1/3 it is cut to that. It should be such that the best point is
	// expected within Start ± 2·Sigma. Default 0.25.
	Sigma float64

	// Seed chooses the run.
	Seed uint64

	// Covariance is what is learnt of the distribution's shape. Default Decoded,
	// which pycma has to be asked for.
	Covariance Covariance

	// Passive learns from the better half only, as CMA-ES did before 2016.
	Passive bool

	// Rated adapts the learning rates of mean and covariance to how much of their moves
	// is noise, for functions that are noisy or have many hills, at the default
	// population (Nomura et al. 2023, LRA-CMA-ES). It needs Covariance Full, and has
	// TolStagnation, TolXStagnation and MaxIter off by default.
	Rated bool

	// Penalty is what a candidate loses for how far its sample lies behind the bounds,
	// where it is folded back: for the squared distance in widths of the box, so many
	// times the interquartile range of the generation's values. It keeps the mean
	// within the bounds, where a fold beyond them means the same points once more.
	// Default 0, as in pycma; at most 1e6.
	Penalty float64

	// Free searches all of ℝⁿ: no point is folded, and Start, Inject and Sigma are
	// in the units of the space, of which the box says the number of genes only. It
	// is for comparisons on functions without bounds.
	Free bool

	// Noise scores some candidates of each generation twice, and widens the steps while
	// their ranks change by more than chance allows (Hansen et al. 2009, UH-CMA-ES).
	Noise bool

	// Start is the first mean, in the unit cube. Default the box's.
	Start []float64

	// Inject are points of the unit cube to have in the first generation.
	Inject [][]float64

	// Prior are scored points of a similar search; mean, step size and covariance
	// then begin as the best tenth of them lie (Nomura et al. 2021, WS-CMA-ES,
	// arXiv:2012.06932), and Start and Sigma do not count.
	Prior []Scored[[]float64]

	// TolX stops when all standard deviations, and Sigma times the path pc, are
	// below it. Default 1e-11.
	TolX float64

	// TolFun stops when the values of the last generation, and the best ones of
	// the last 10 + 30n/Population, differ by less, but not by zero. Default 1e-11.
	TolFun float64

	// TolFunHist stops when the best values of the last 10 + 30n/Population
	// generations differ by less, but not by zero. Default 1e-12.
	TolFunHist float64

	// TolFunRel stops when the values of the last generation differ by less than so
	// much of what the median has gained since the first. Default 0, which is never.
	TolFunRel float64

	// TolXStagnation stops when the mean has not moved by so much in 20 generations and
	// a tenth of the run. Default 1e-9.
	TolXStagnation float64

	// TolFacUpX stops when a standard deviation is so many times its first.
	// Default 1000.
	TolFacUpX float64

	// TolUpSigma stops when sigma has grown by more than this times the longest
	// axis of C: it creeps without getting anywhere. Default 1e20.
	TolUpSigma float64

	// TolConditionCov stops when the condition number of C is above it.
	// Default 1e14.
	TolConditionCov float64

	// TolStagnation stops when for about so many generations neither the best
	// nor the median values have become better. Default 100 + 100 n^1.5/Population.
	TolStagnation int

	// MaxFlat is how many generations in a row may be flat: best and
	// three-quarter candidate equal in value and tie, or all failed. Fitness like
	// accuracy has few values and is flat often; pycma's is 1. Default 10.
	MaxFlat int

	// MaxIter stops after so many generations. Default 100 + 150 (n+3)²/√Population.
	MaxIter int
}

// withDefaults returns the options for n genes with no zeros left, but perhaps Seed.
func (o CMAOptions) withDefaults(n int) CMAOptions {
	set(&o.Population, defaultPopulation(n))
	set(&o.Sigma, 0.25)
	set(&o.Covariance, Decoded)
	if o.Rated { // small rates look like stagnation; the package cmaes asks neither
		set(&o.TolStagnation, -1)
		set(&o.TolXStagnation, -1)
		set(&o.MaxIter, -1)
	}
	set(&o.TolX, 1e-11)
	set(&o.TolFun, 1e-11)
	set(&o.TolFunHist, 1e-12)
	set(&o.TolXStagnation, 1e-9)
	set(&o.TolFacUpX, 1000)
	set(&o.TolUpSigma, 1e20)
	set(&o.TolConditionCov, 1e14)
	set(&o.MaxFlat, 10)
	if o.Population > 1 {
		s := strategy{n: n, lambda: o.Population}
		set(&o.TolStagnation, s.stagnation())
		set(&o.MaxIter, s.maxIter())
	}
	return o
}

// set gives an unset option its default.
func set[T comparable](option *T, value T) {
	var zero T
	if *option == zero {
		*option = value
	}
}

func (o CMAOptions) validate() error {
	if o.Population < 2 || o.Population > maxPopulation {
		return fmt.Errorf("population %d is not in [2, %d]", o.Population, maxPopulation)
	}
	if !(o.Sigma > 0 && (o.Sigma <= 1 || o.Free) && !math.IsInf(o.Sigma, 0)) {
		return fmt.Errorf("sigma %v is not in (0, 1]", o.Sigma)
	}
	if o.Rated && o.Covariance != Full {
		return fmt.Errorf("learning rates are adapted of a full covariance, not of a %s one", o.Covariance)
	}
	switch o.Covariance {
	case Decoded, Full, Separable, Linear:
	default:
		return fmt.Errorf("covariance %q is not one of %s, %s, %s and %s", o.Covariance, Decoded, Full, Separable, Linear)
	}
	if !(o.Penalty >= 0 && o.Penalty <= maxPenalty) {
		return fmt.Errorf("penalty %v is not in [0, %g]", o.Penalty, maxPenalty)
	}
	for _, tol := range [...]float64{o.TolX, o.TolFun, o.TolFunHist, o.TolFunRel, o.TolXStagnation, o.TolFacUpX, o.TolUpSigma, o.TolConditionCov} {
		if math.IsNaN(tol) {
			return errors.New("a tolerance is NaN")
		}
	}
	return nil
}

func (o CMAOptions) strategy(n int) strategy {
	s := newVariant(n, o.Population, o.Covariance)
	if o.Passive {
		s.setWeights(1, 0)
	}
	if o.Rated {
		s.rate()
	}
	return s
}

const maxPenalty = 1e6

// maxStd is pycma's maxstd_boundrange: beyond a third of the range a normal
// distribution is about uniform over it.
const maxStd = 1. / 3

// widest is the standard deviation that no coordinate may exceed.
func (o CMAOptions) widest() float64 {
	if o.Free {
		return math.Inf(1)
	}
	return maxStd
}

// unfold is the point of the distribution's space that is folded onto u.
func (o CMAOptions) unfold(u []float64) []float64 {
	if o.Free {
		return slices.Clone(u)
	}
	return unfolded(u)
}
