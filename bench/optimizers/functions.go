package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// function is one to be minimized; its best value is 0, or nearly.
type function struct {
	names []string
	doc   string
	// lo and hi are where it is usually searched, for optimizers that need bounds.
	lo, hi float64
	of     func(n int) func(x []float64) float64
}

// functions are defined as in pycma's cma.ff, with its names beside the usual ones.
var functions = []function{
	{[]string{"sphere"}, "Σ x²", -5, 5, plain(squares)},
	{[]string{"ellipsoid", "elli"}, "Σ 10^(6i/(n-1)) x²", -5, 5, plain(ellipsoid)},
	{[]string{"ellipsoid_rotated", "ellipsoid_hh", "ellirot"}, "the same after a reflection at (1, 2, …, n)", -5, 5, reflected(ellipsoid)},
	{[]string{"rosenbrock", "rosen"}, "Σ 100 (x²-x')² + (1-x)²", -5, 5, plain(rosenbrock)},
	{[]string{"rastrigin"}, "10n + Σ x² - 10 cos 2πx", -5, 5, plain(waves)},
	{[]string{"ackley"}, "20 - 20 exp(-0.2 √(Σx²/n)) + e - exp(Σ cos 2πx / n)", -30, 30, plain(ackley)},
	{[]string{"schwefel", "schwefelmult"}, "418.98n - Σ x sin √|x|, with a penalty beyond 500", -500, 500, plain(schwefel)},
	{[]string{"griewank"}, "of 120x: 1 - Π cos(x/√i) + Σ x²/4000", -5, 5, plain(griewank)},
	{[]string{"griewank600"}, "griewank of x as it is, in [-600, 600]", -600, 600, plain(griewank600)},
	{[]string{"diffpow", "differentpowers"}, "√ Σ |x|^(2+4i/(n-1))", -5, 5, plain(differentPowers)},
	{[]string{"discus", "tablet"}, "10⁶ x₁² + Σ' x²", -5, 5, plain(discus)},
	{[]string{"bentcigar", "cigar"}, "x₁² + 10⁶ Σ' x²", -5, 5, plain(cigar)},
	{[]string{"cigtab"}, "10⁻⁴ x₁² + 10⁴ x₂² + Σ' x²", -5, 5, plain(cigtab)},
	{[]string{"twoaxes"}, "10⁶ Σ x² of the first half, Σ x² of the second", -5, 5, plain(twoAxes)},
}

func plain(f func([]float64) float64) func(int) func([]float64) float64 {
	return func(int) func([]float64) float64 { return f }
}

// lookup finds a function by its name, of BBOB's f1 to f24 an instance.
func lookup(name string, instance int) (function, error) {
	key := strings.ToLower(strings.NewReplacer(" ", "", "-", "", "_", "").Replace(name))
	var known []string
	for _, f := range functions {
		known = append(known, f.names[0])
		for _, n := range f.names {
			if strings.ReplaceAll(n, "_", "") == key {
				return f, nil
			}
		}
	}
	digits, is := strings.CutPrefix(key, "f")
	if i, err := strconv.Atoi(digits); is && err == nil && i >= 1 && i <= len(bbobFunctions) {
		return function{[]string{name}, "BBOB's " + bbobFunctions[i-1].name, -5, 5, func(n int) func([]float64) float64 { return newBBOB(i, n, instance) }}, nil
	}
	return function{}, fmt.Errorf("no function %q: there are %s and BBOB's f1 to f24", name, strings.Join(known, ", "))
}

func squares(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s += v * v
	}
	return s
}

func ellipsoid(x []float64) float64 {
	s := 0.0
	for i, v := range x {
		s += math.Pow(1e6, part(i, len(x))) * v * v
	}
	return s
}

// part is the place of coordinate i from 0 to 1.
func part(i, n int) float64 { return float64(i) / math.Max(1, float64(n-1)) }

// reflected is f after the Householder reflection of (1, 2, …, n).
func reflected(f func([]float64) float64) func(int) func([]float64) float64 {
	return func(n int) func([]float64) float64 {
		return func(x []float64) float64 {
			var vx, vv float64
			for i, a := range x {
				v := float64(i + 1)
				vx, vv = vx+v*a, vv+v*v
			}
			y := slices.Clone(x)
			for i := range y {
				y[i] -= 2 * vx / vv * float64(i+1)
			}
			return f(y)
		}
	}
}

func rosenbrock(x []float64) float64 {
	s := 0.0
	for i := range len(x) - 1 {
		a, b := x[i]*x[i]-x[i+1], 1-x[i]
		s += 100*a*a + b*b
	}
	return s
}

// waves is Rastrigin's function.
func waves(x []float64) float64 {
	s := 10 * float64(len(x))
	for _, v := range x {
		s += v*v - 10*math.Cos(2*math.Pi*v)
	}
	return s
}

func ackley(x []float64) float64 {
	n, cosines := float64(len(x)), 0.0
	for _, v := range x {
		cosines += math.Cos(2 * math.Pi * v)
	}
	return 20 - 20*math.Exp(-0.2*math.Sqrt(squares(x)/n)) + math.E - math.Exp(cosines/n)
}

func schwefel(x []float64) float64 {
	n := float64(len(x))
	s := 418.9829*n - 1.27275661e-5*n
	for _, v := range x {
		s -= v * math.Sin(math.Sqrt(math.Abs(v)))
		if d := math.Abs(v) - 500; d > 0 {
			s += 1e4 * d * d
		}
	}
	return s
}

func griewank(x []float64) float64 {
	y := slices.Clone(x)
	for i := range y {
		y[i] *= 600. / 5
	}
	return griewank600(y)
}

func griewank600(x []float64) float64 {
	product := 1.0
	for i, v := range x {
		product *= math.Cos(v / math.Sqrt(float64(i+1)))
	}
	return 1 - product + squares(x)/4000
}

func differentPowers(x []float64) float64 {
	s := 0.0
	for i, v := range x {
		s += math.Pow(math.Abs(v), 2+4*part(i, len(x)))
	}
	return math.Sqrt(s)
}

func discus(x []float64) float64 { return 1e6*x[0]*x[0] + squares(x[1:]) }

func cigar(x []float64) float64 { return x[0]*x[0] + 1e6*squares(x[1:]) }

func cigtab(x []float64) float64 {
	return 1e-4*x[0]*x[0] + 1e4*x[1]*x[1] + squares(x[2:])
}

func twoAxes(x []float64) float64 {
	h := len(x) / 2
	return 1e6*squares(x[:h]) + squares(x[h:])
}
