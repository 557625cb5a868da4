package main

import (
	"cmp"
	"math"
	"slices"
)

// bbobFunctions are f1 to f24, in their order.
var bbobFunctions = []struct {
	name string
	of   func(b *bbob) func(x []float64) float64
}{
	{"sphere", func(b *bbob) func([]float64) float64 {
		return func(x []float64) float64 { return squares(b.shifted(x)) }
	}},
	{"separable ellipsoid", func(b *bbob) func([]float64) float64 {
		return func(x []float64) float64 { return b.ellipsoid(oscillated(b.shifted(x)), 1e6) }
	}},
	{"separable Rastrigin", func(b *bbob) func([]float64) float64 {
		return func(x []float64) float64 {
			return waves(b.stretched(b.asymmetric(oscillated(b.shifted(x)), 0.2), 10))
		}
	}},
	{"Büche-Rastrigin", func(b *bbob) func([]float64) float64 {
		return func(x []float64) float64 {
			z := b.stretched(oscillated(b.shifted(x)), 10)
			for i := 0; i < b.n; i += 2 {
				if z[i] > 0 {
					z[i] *= 10
				}
			}
			return waves(z) + 100*outside(x)
		}
	}},
	{"linear slope", func(b *bbob) func([]float64) float64 {
		return func(x []float64) float64 {
			sum := 0.0
			for i, v := range x {
				if v*b.xopt[i] >= 25 {
					v = b.xopt[i]
				}
				s := math.Pow(10, b.at(i))
				sum += 5*s - math.Copysign(s, b.xopt[i])*v
			}
			return sum
		}
	}},
	{"attractive sector", func(b *bbob) func([]float64) float64 {
		return func(x []float64) float64 {
			z := apply(b.m, b.shifted(x))
			for i := range z {
				if z[i]*b.xopt[i] > 0 {
					z[i] *= 100
				}
			}
			return math.Pow(oscillate(squares(z)), 0.9)
		}
	}},
	{"step ellipsoid", func(b *bbob) func([]float64) float64 {
		return func(x []float64) float64 {
			z := b.stretched(apply(b.q, b.shifted(x)), 10)
			first := z[0]
			for i, v := range z {
				if math.Abs(v) > 0.5 {
					z[i] = math.Floor(v + 0.5)
				} else {
					z[i] = math.Floor(10*v+0.5) / 10
				}
			}
			return 0.1*math.Max(1e-4*math.Abs(first), b.ellipsoid(apply(b.r, z), 100)) + outside(x)
		}
	}},
	{"Rosenbrock", func(b *bbob) func([]float64) float64 {
		return func(x []float64) float64 {
			z := b.shifted(x)
			for i := range z {
				z[i] = b.valley()*z[i] + 1
			}
			return rosenbrock(z)
		}
	}},
	{"rotated Rosenbrock", func(b *bbob) func([]float64) float64 {
		return func(x []float64) float64 { return rosenbrock(b.inValley(x)) }
	}},
	{"rotated ellipsoid", func(b *bbob) func([]float64) float64 {
		return func(x []float64) float64 { return b.ellipsoid(oscillated(apply(b.r, b.shifted(x))), 1e6) }
	}},
	{"discus", func(b *bbob) func([]float64) float64 {
		return func(x []float64) float64 { return discus(oscillated(apply(b.r, b.shifted(x)))) }
	}},
	{"bent cigar", func(b *bbob) func([]float64) float64 {
		return func(x []float64) float64 {
			return cigar(apply(b.r, b.asymmetric(apply(b.r, b.shifted(x)), 0.5)))
		}
	}},
	{"sharp ridge", func(b *bbob) func([]float64) float64 {
		return func(x []float64) float64 {
			z := apply(b.m, b.shifted(x))
			return z[0]*z[0] + 100*math.Sqrt(squares(z[1:]))
		}
	}},
	{"different powers", func(b *bbob) func([]float64) float64 {
		return func(x []float64) float64 { return differentPowers(apply(b.r, b.shifted(x))) }
	}},
	{"rotated Rastrigin", func(b *bbob) func([]float64) float64 {
		return func(x []float64) float64 {
			return waves(apply(b.m, b.asymmetric(oscillated(apply(b.r, b.shifted(x))), 0.2)))
		}
	}},
	{"Weierstrass", func(b *bbob) func([]float64) float64 {
		f0 := fractal(0)
		return func(x []float64) float64 {
			z := apply(b.m, oscillated(apply(b.r, b.shifted(x))))
			sum := 0.0
			for _, v := range z {
				sum += fractal(v)
			}
			n := float64(b.n)
			return 10*math.Pow(sum/n-f0, 3) + 10/n*outside(x)
		}
	}},
	{"Schaffers F7", schaffers(10)},
	{"ill-conditioned Schaffers F7", schaffers(1000)},
	{"Griewank-Rosenbrock", func(b *bbob) func([]float64) float64 {
		return func(x []float64) float64 {
			z, sum := b.inValley(x), 0.0
			for i := range b.n - 1 {
				s := rosenbrock(z[i : i+2])
				sum += s/4000 - math.Cos(s)
			}
			return 10*sum/float64(b.n-1) + 10
		}
	}},
	{"Schwefel", schwefelSine},
	{"Gallagher, 101 peaks", gallagher},
	{"Gallagher, 21 peaks", gallagher},
	{"Katsuura", func(b *bbob) func([]float64) float64 {
		return func(x []float64) float64 {
			n, product := float64(b.n), 1.0
			for i, v := range apply(b.m, b.shifted(x)) {
				sum := 0.0
				for j := 1; j <= 32; j++ {
					p := math.Pow(2, float64(j))
					sum += math.Abs(p*v-math.Floor(p*v+0.5)) / p
				}
				product *= math.Pow(1+float64(i+1)*sum, 10/math.Pow(n, 1.2))
			}
			return 10/n/n*(product-1) + outside(x)
		}
	}},
	{"Lunacek", doubleFunnel},
}

// lunacek is mu_0 of f24, where the better of its two funnels lies.
const lunacek = 2.5

func doubleFunnel(b *bbob) func([]float64) float64 {
	n := float64(b.n)
	s := 1 - 0.5/(math.Sqrt(n+20)-4.1)
	other := -math.Sqrt((lunacek*lunacek - 1) / s)
	return func(x []float64) float64 {
		y, near, far := make([]float64, b.n), 0.0, 0.0
		for i, v := range x {
			h := math.Copysign(2, b.xopt[i]) * v
			y[i] = h - lunacek
			near += y[i] * y[i]
			far += (h - other) * (h - other)
		}
		cosines := 0.0
		for _, v := range apply(b.m, y) {
			cosines += math.Cos(2 * math.Pi * v)
		}
		return math.Min(near, n+s*far) + 10*(n-cosines) + 1e4*outside(x)
	}
}

func schaffers(condition float64) func(*bbob) func([]float64) float64 {
	return func(b *bbob) func([]float64) float64 {
		return func(x []float64) float64 {
			z := b.stretched(apply(b.q, b.asymmetric(apply(b.r, b.shifted(x)), 0.5)), condition)
			sum := 0.0
			for i := range b.n - 1 {
				s := math.Sqrt(math.Hypot(z[i], z[i+1]))
				sine := math.Sin(50 * math.Pow(s, 0.4))
				sum += s + s*sine*sine
			}
			sum /= float64(b.n - 1)
			return sum*sum + 10*outside(x)
		}
	}
}

func schwefelSine(b *bbob) func([]float64) float64 {
	return func(x []float64) float64 {
		h, z := make([]float64, b.n), make([]float64, b.n)
		for i, v := range x {
			h[i] = math.Copysign(2, b.xopt[i]) * v
			z[i] = h[i]
			if i > 0 {
				z[i] += 0.25 * (h[i-1] - 2*math.Abs(b.xopt[i-1]))
			}
		}
		sum := 0.0
		for i := range z {
			far := 2 * math.Abs(b.xopt[i])
			z[i] = 100 * (math.Pow(10, 0.5*b.at(i))*(z[i]-far) + far)
			sum += z[i] * math.Sin(math.Sqrt(math.Abs(z[i])))
			z[i] /= 100
		}
		return -sum/(100*float64(b.n)) + 4.189828872724339 + 100*outside(z)
	}
}

// peak is one of Gallagher's: where it is, in rotated coordinates, how steep along
// each, and how high.
type peak struct {
	at, steep []float64
	height    float64
}

func gallagher(b *bbob) func([]float64) float64 {
	return func(x []float64) float64 {
		y, best := apply(b.r, x), 0.0
		for _, p := range b.peaks {
			s := 0.0
			for i, v := range y {
				s += p.steep[i] * (v - p.at[i]) * (v - p.at[i])
			}
			best = math.Max(best, p.height*math.Exp(-s/2/float64(b.n)))
		}
		f := oscillate(10 - best)
		return f*f + outside(x)
	}
}

// scatter sets the peaks of f21, 101 of them, or of f22, 21.
func (b *bbob) scatter(f, seed int) {
	count, wide, first := 101, 10.0, math.Sqrt(1000)
	if f == 22 {
		count, wide, first = 21, 9.8, 1000
	}
	order := ascending(uniform(count-1, seed))
	spots := uniform(b.n*count, seed)
	for i := range count {
		p := peak{height: 10, at: make([]float64, b.n), steep: make([]float64, b.n)}
		condition := first
		if i > 0 {
			condition = math.Pow(1000, float64(order[i-1])/float64(count-2))
			p.height = 1.1 + 8*float64(i-1)/float64(count-2)
		}
		for j, rank := range ascending(uniform(b.n, seed+1000*i)) {
			p.steep[j] = math.Pow(condition, float64(rank)/float64(b.n-1)-0.5)
		}
		spot := spots[i*b.n : (i+1)*b.n]
		for j, u := range spot {
			spot[j] = wide * (u - 0.5)
			if i == 0 {
				spot[j] *= 0.8
				b.xopt[j] = spot[j]
			}
		}
		p.at = apply(b.r, spot)
		b.peaks = append(b.peaks, p)
	}
}

// ascending are the places of the numbers in ascending order.
func ascending(x []float64) []int {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(x[a], x[b]) })
	return order
}

func (b *bbob) ellipsoid(z []float64, condition float64) float64 {
	s := 0.0
	for i, v := range z {
		s += math.Pow(condition, b.at(i)) * v * v
	}
	return s
}

func (b *bbob) valley() float64 { return math.Max(1, math.Sqrt(float64(b.n))/8) }

// inValley are f9's and f19's coordinates.
func (b *bbob) inValley(x []float64) []float64 {
	z := apply(b.r, x)
	for i := range z {
		z[i] = b.valley()*z[i] + 0.5
	}
	return z
}

// fractal is one coordinate's sum in Weierstrass's function.
func fractal(x float64) float64 {
	s := 0.0
	for k := range 12 {
		s += math.Pow(0.5, float64(k)) * math.Cos(2*math.Pi*math.Pow(3, float64(k))*(x+0.5))
	}
	return s
}
