package evolve

import "math"

// strategy are the constants of CMA-ES for n dimensions and lambda candidates a
// generation: those of pycma 4.5, which differ from the tutorial
// (Hansen, arXiv:1604.00772, table 1; equations below are its) where said.
type strategy struct {
	n, lambda int
	weights   []float64 // of ranks 1…lambda; the first mu are positive and sum to 1
	mu        int
	mueff     float64 // variance effective selection mass, eq. 8
	cc        float64 // rate of the path pc
	c1, cmu   float64 // rates of the rank-one and rank-mu updates
	cs, damps float64 // rate of the path ps, damping of the step size
	chiN      float64 // E‖N(0,I)‖
	gap       float64 // updates between two eigendecompositions

	// separable keeps C at the identity and adapts the scales alone; linear by the
	// rule for C's diagonal, whose path is not in units of the scales.
	separable, linear bool
	// Diagonal decoding adapts the scales beside C: the rates of its path, of its
	// rank-one and of its rank-mu update. Off where c1Scale is 0.
	ccScale, c1Scale, cmuScale float64
	// rated adapts the learning rates of a full covariance.
	rated bool
	// tutorial follows the tutorial where pycma differs, besides in the constants.
	tutorial bool
}

// Covariance says what is learnt of a distribution's shape.
type Covariance string

// The covariances of CMA-ES.
const (
	Decoded   Covariance = "decoded"   // full, and a scale a gene beside it: DD-CMA
	Full      Covariance = "full"      // all variances and correlations
	Separable Covariance = "separable" // variances alone
	Linear    Covariance = "linear"    // variances alone, by Ros and Hansen's rule
)

// newStrategy returns the constants of pycma with a full covariance.
func newStrategy(n, lambda int) strategy { return newVariant(n, lambda, Full) }

func newVariant(n, lambda int, v Covariance) strategy {
	if v == Linear {
		return newLinear(n, lambda)
	}
	s := strategy{n: n, lambda: lambda, weights: make([]float64, lambda), separable: v == Separable}
	N, L := float64(n), float64(lambda)

	var sum, sum2, neg, neg2 float64
	for i := range s.weights {
		w := math.Log((L+1)/2) - math.Log(float64(i+1)) // eq. 49
		s.weights[i] = w
		if w > 0 {
			s.mu++
			sum, sum2 = sum+w, sum2+w*w
		} else {
			neg, neg2 = neg+w, neg2+w*w
		}
	}
	s.mueff = sum * sum / sum2
	mueffNeg := 0.0
	if neg2 > 0 {
		mueffNeg = neg * neg / neg2
	}

	s.cc = (4 + s.mueff/N) / (N + 4 + 2*s.mueff/N) // eq. 56
	// eq. 57; pycma learns slower from fewer than 6 candidates
	s.c1 = math.Min(1, L/6) * 2 / ((N+1.3)*(N+1.3) + s.mueff)
	// eq. 58 with 1/4 added, as the tutorial has since 2023
	s.cmu = math.Min(1-s.c1, 2*(s.mueff-1.75+1/s.mueff)/((N+2)*(N+2)+s.mueff))

	if s.separable {
		// Variances are n numbers: they are learnt faster (pycma's sep parameters,
		// after Ros and Hansen 2008).
		root := math.Sqrt(N)
		s.cc = (1 + 1/N + s.mueff/N) / (root + 1/N + 2*s.mueff/N)
		s.c1 = 1 / (N + 2*root + s.mueff/N)
		s.cmu = math.Min(1-s.c1, (0.25+s.mueff+1/s.mueff-2)/(N+4*root+s.mueff/2))
	}
	if v == Decoded {
		// Akimoto and Hansen 2020, Diagonal Acceleration for CMA-ES, in pycma's form
		d := 5 + 2*N + s.mueff/2
		s.c1Scale = 1 / d
		s.cmuScale = math.Min(1-s.c1Scale, (s.mueff+1/s.mueff-2+1./7)/d)
		s.ccScale = math.Sqrt(s.mueff*s.c1Scale) / 2
	}

	// eq. 50-53: negative weights as large as keep C positive definite
	alpha := math.Min(1+s.c1/s.cmu, 1+2*mueffNeg/(s.mueff+2))
	if !s.separable { // scales are multiplied, and cannot become negative
		alpha = math.Min(alpha, (1-s.c1-s.cmu)/(N*s.cmu))
	}
	s.setWeights(sum, alpha/-neg)

	s.cs = math.Min(0.5, (s.mueff+2)/(N+s.mueff+3)) // tutorial eq. 55: N + mueff + 5
	// Large populations are damped up to 3 times more than by the tutorial.
	f := math.Max(1, 3*(1-math.Pow(0.5, N/9)))
	s.damps = 1 + 2*math.Max(0, f*math.Sqrt((s.mueff-1)/(N+1))-1) + s.cs
	s.chiN = chiMean(n)
	s.gap = 1 / (s.c1 + s.cmu) / N / 10
	return s
}

// rate adapts learning rates, for which the covariance has to be decomposed every time.
func (s *strategy) rate() {
	s.rated, s.gap = true, 0
}

// newTutorial returns the tutorial's own constants, which the Python package cmaes
// has: references to compare with.
func newTutorial(n, lambda int) strategy {
	s := newStrategy(n, lambda)
	s.tutorial = true
	N := float64(n)
	var sum, neg, neg2 float64
	for i := range s.weights {
		w := math.Log((float64(lambda)+1)/2) - math.Log(float64(i+1))
		s.weights[i] = w
		if w > 0 {
			sum += w
		} else {
			neg, neg2 = neg+w, neg2+w*w
		}
	}
	mueffNeg := neg * neg / neg2
	s.c1 = 2 / ((N+1.3)*(N+1.3) + s.mueff)
	s.cmu = math.Min(1-s.c1-1e-8, 2*(s.mueff-2+1/s.mueff)/((N+2)*(N+2)+s.mueff))
	alpha := math.Min(1+s.c1/s.cmu, 1+2*mueffNeg/(s.mueff+2))
	s.setWeights(sum, math.Min(alpha, (1-s.c1-s.cmu)/(N*s.cmu))/-neg)
	s.cs = (s.mueff + 2) / (N + s.mueff + 5)
	s.damps = 1 + 2*math.Max(0, math.Sqrt((s.mueff-1)/(N+1))-1) + s.cs
	s.chiN = math.Sqrt(N) * (1 - 1/(4*N) + 1/(21*N*N))
	return s
}

// newLinear returns the constants of Ros and Hansen 2008, A Simple Modification in CMA-ES,
// as the Python package cmaes has them: no negative weights.
func newLinear(n, lambda int) strategy {
	s := newTutorial(n, lambda)
	s.separable, s.linear = true, true
	N := float64(n)
	s.mu = lambda / 2
	var sum, sum2 float64
	for i := range s.weights {
		s.weights[i] = 0
		if i < s.mu {
			s.weights[i] = math.Log(float64(s.mu+1)) - math.Log(float64(i+1))
			sum += s.weights[i]
			sum2 += s.weights[i] * s.weights[i]
		}
	}
	s.mueff = sum * sum / sum2
	s.setWeights(sum, 0)
	s.cc = 4 / (N + 4)
	s.cs = (s.mueff + 2) / (N + s.mueff + 3)
	s.damps = 1 + 2*math.Max(0, math.Sqrt((s.mueff-1)/(N+1))-1) + s.cs
	s.c1 = 2 / ((N+1.3)*(N+1.3) + s.mueff)
	full := 2/(s.mueff*(N+math.Sqrt2)*(N+math.Sqrt2)) + (1-1/s.mueff)*math.Min(1, (2*s.mueff-1)/((N+2)*(N+2)+s.mueff))
	s.cmu = math.Min(1-s.c1, (N+2)/3*full)
	return s
}

// setWeights divides positive weights by their sum, and scales negative ones.
func (s *strategy) setWeights(sum, scale float64) {
	for i, w := range s.weights {
		switch {
		case w > 0:
			s.weights[i] = w / sum
		case w < 0:
			s.weights[i] = scale * w
		}
	}
}

// chiMean is the expected length of a standard normal vector, √2·Γ((n+1)/2)/Γ(n/2).
func chiMean(n int) float64 {
	N := float64(n)
	if n > 100 {
		return math.Sqrt(N) * (1 - 1/(4*N) + 1/(32*N*N))
	}
	a, _ := math.Lgamma((N + 1) / 2)
	b, _ := math.Lgamma(N / 2)
	return math.Sqrt2 * math.Exp(a-b)
}

// maxIter is pycma's default number of generations.
func (s strategy) maxIter() int {
	N := float64(s.n)
	return 100 + int(150*(N+3)*(N+3)/math.Sqrt(float64(s.lambda)))
}

// stagnation is pycma's default of tolstagnation, in generations.
func (s strategy) stagnation() int {
	N := float64(s.n)
	return int(100 + 100*N*math.Sqrt(N)/float64(s.lambda))
}
