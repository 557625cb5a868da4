package evolvetest

import (
	"context"
	"math"

	"github.com/mergevo/mergevo/evolve"
)

// Objective is a function to maximise, of values in any number of dimensions.
// The functions are the usual ones, negated: each has its maximum 0 at Best and
// nowhere else.
type Objective struct {
	Name string
	F    func(x []float64) float64
	Best float64 // every coordinate of the best point
}

// Objectives lists
//
//	sphere      -Σ xᵢ²                                     best at 0
//	ellipsoid   -Σ 10^(6(i-1)/(n-1)) xᵢ²                   best at 0, condition 1e6
//	rosenbrock  -Σ 100 (xᵢ² - xᵢ₊₁)² + (xᵢ - 1)²           best at 1, a bent valley; n = 1: -(x-1)²
//	rastrigin   -Σ xᵢ² + 10 (1 - cos 2πxᵢ)                 best at 0, with a local maximum near every whole point
func Objectives() []Objective {
	return []Objective{
		{"sphere", Sphere, 0},
		{"ellipsoid", Ellipsoid, 0},
		{"rosenbrock", Rosenbrock, 1},
		{"rastrigin", Rastrigin, 0},
	}
}

// Sphere is the negated sum of squares; its maximum is 0 at 0.
func Sphere(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s += v * v
	}
	return -s
}

// Ellipsoid is Sphere with a condition number of 1e6; its maximum is 0 at 0.
func Ellipsoid(x []float64) float64 {
	s := 0.0
	for i, v := range x {
		s += math.Pow(1e6, float64(i)/math.Max(1, float64(len(x)-1))) * v * v
	}
	return -s
}

// Rosenbrock is the negated Rosenbrock function; its maximum is 0 at 1.
func Rosenbrock(x []float64) float64 {
	if len(x) == 1 {
		return -(x[0] - 1) * (x[0] - 1)
	}
	s := 0.0
	for i := range len(x) - 1 {
		a, b := x[i]*x[i]-x[i+1], x[i]-1
		s += 100*a*a + b*b
	}
	return -s
}

// Rastrigin is the negated Rastrigin function; its maximum is 0 at 0.
func Rastrigin(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s += v*v + 10*(1-math.Cos(2*math.Pi*v))
	}
	return -s
}

// Score makes an evolve.Objective which applies f to the values of the box.
func Score(box evolve.Box, f func(x []float64) float64) evolve.Objective[[]float64] {
	return func(_ context.Context, pop []evolve.Candidate[[]float64]) ([]evolve.Score, error) {
		scores := make([]evolve.Score, len(pop))
		for i, c := range pop {
			scores[i].Value = f(box.Values(c.Genome))
		}
		return scores, nil
	}
}
