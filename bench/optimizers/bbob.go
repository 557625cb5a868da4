package main

import (
	"math"
	"slices"
)

// bbob is one of the 24 noiseless functions of the Black-Box Optimization
// Benchmarking suite (Hansen, Finck, Ros and Auger 2009, INRIA RR-6829), whose
// numbers below are those of the report: f(x) - f_opt, to be minimized.
type bbob struct {
	n    int
	xopt []float64
	// r and q are rotations, m the matrix between the transformations.
	r, q, m [][]float64
	peaks   []peak
}

// newBBOB makes function f1 to f24 in n ≥ 2 dimensions.
func newBBOB(f, n, instance int) func(x []float64) float64 {
	seed := map[int]int{4: 3, 18: 17}[f] // these two share those of another
	if seed == 0 {
		seed = f
	}
	seed += 10000 * instance
	b := &bbob{n: n, xopt: optimum(n, seed)}
	second := seed + 1000000
	switch f {
	case 9, 19:
		b.r = rotation(n, seed)
	case 12:
		b.xopt = optimum(n, second)
		b.r = rotation(n, second)
	case 10, 11, 14:
		b.r = rotation(n, second)
	case 6, 13, 23, 24, 7, 15, 16, 17, 18:
		b.r, b.q = rotation(n, second), rotation(n, seed)
	case 21, 22:
		b.r = rotation(n, seed)
		b.scatter(f, seed)
	}
	b.place(f, seed)
	b.conditions(f)
	return bbobFunctions[f-1].of(b)
}

// place moves the optimum where a function has it elsewhere than at random.
func (b *bbob) place(f, seed int) {
	switch f {
	case 4:
		for i := 0; i < b.n; i += 2 {
			b.xopt[i] = math.Abs(b.xopt[i])
		}
	case 5:
		for i, v := range b.xopt {
			b.xopt[i] = math.Copysign(5, v)
		}
	case 8:
		for i := range b.xopt {
			b.xopt[i] *= 0.75
		}
	case 20:
		for i, u := range uniform(b.n, seed) {
			b.xopt[i] = math.Copysign(0.5*4.2096874637, u-0.5)
		}
	case 24:
		for i, g := range normal(b.n, seed) {
			b.xopt[i] = math.Copysign(0.5*lunacek, g)
		}
	}
}

// conditions sets m where a function has an ill-conditioned map between rotations.
func (b *bbob) conditions(f int) {
	condition := map[int]float64{6: 10, 13: 10, 15: 10, 16: 0.01, 23: 100, 24: 100}[f]
	if condition == 0 {
		return
	}
	b.m = make([][]float64, b.n)
	for i := range b.m {
		b.m[i] = make([]float64, b.n)
		for j := range b.m[i] {
			for k := range b.n {
				b.m[i][j] += b.r[i][k] * math.Pow(condition, 0.5*b.at(k)) * b.q[k][j]
			}
		}
	}
}

// at is the place of coordinate i from 0 to 1.
func (b *bbob) at(i int) float64 { return float64(i) / float64(b.n-1) }

// shifted is x - xopt.
func (b *bbob) shifted(x []float64) []float64 {
	z := slices.Clone(x)
	for i := range z {
		z[i] -= b.xopt[i]
	}
	return z
}

// apply is a·x.
func apply(a [][]float64, x []float64) []float64 {
	y := make([]float64, len(x))
	for i, row := range a {
		for j, v := range row {
			y[i] += v * x[j]
		}
	}
	return y
}

// oscillated is T_osz of each entry.
func oscillated(z []float64) []float64 {
	for i, v := range z {
		z[i] = oscillate(v)
	}
	return z
}

func oscillate(x float64) float64 {
	switch {
	case x > 0:
		l := math.Log(x) / 0.1
		return math.Pow(math.Exp(l+0.49*(math.Sin(l)+math.Sin(0.79*l))), 0.1)
	case x < 0:
		l := math.Log(-x) / 0.1
		return -math.Pow(math.Exp(l+0.49*(math.Sin(0.55*l)+math.Sin(0.31*l))), 0.1)
	}
	return 0
}

// asymmetric is T_asy with exponent beta.
func (b *bbob) asymmetric(z []float64, beta float64) []float64 {
	for i, v := range z {
		if v > 0 {
			z[i] = math.Pow(v, 1+beta*b.at(i)*math.Sqrt(v))
		}
	}
	return z
}

// stretched multiplies by the diagonal matrix Λ of a condition.
func (b *bbob) stretched(z []float64, condition float64) []float64 {
	for i := range z {
		z[i] *= math.Pow(condition, 0.5*b.at(i))
	}
	return z
}

// outside is f_pen: the squared distance to [-5, 5]^n.
func outside(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		if d := math.Abs(v) - 5; d > 0 {
			s += d * d
		}
	}
	return s
}

func optimum(n, seed int) []float64 {
	x := uniform(n, seed)
	for i, u := range x {
		if x[i] = 8*math.Floor(1e4*u)/1e4 - 4; x[i] == 0 {
			x[i] = -1e-5
		}
	}
	return x
}

// uniform are numbers in (0, 1) of the suite's own generator: Park and Miller's with
// Bays and Durham's shuffle.
func uniform(n, seed int) []float64 {
	state := int64(max(1, seed))
	step := func() int64 {
		state = 16807*(state%127773) - 2836*(state/127773)
		if state < 0 {
			state += 2147483647
		}
		return state
	}
	var shuffle [32]int64
	for i := 39; i >= 0; i-- {
		if v := step(); i < 32 {
			shuffle[i] = v
		}
	}
	out, last := make([]float64, n), shuffle[0]
	for i := range out {
		v := step()
		k := last / 67108865
		last, shuffle[k] = shuffle[k], v
		if out[i] = float64(last) / 2.147483647e9; out[i] == 0 {
			out[i] = 1e-99
		}
	}
	return out
}

func normal(n, seed int) []float64 {
	u, g := uniform(2*n, seed), make([]float64, n)
	for i := range g {
		if g[i] = math.Sqrt(-2*math.Log(u[i])) * math.Cos(2*math.Pi*u[n+i]); g[i] == 0 {
			g[i] = 1e-99
		}
	}
	return g
}

// rotation is an orthogonal matrix: normal numbers, column by column made orthonormal.
func rotation(n, seed int) [][]float64 {
	g, a := normal(n*n, seed), make([][]float64, n)
	for i := range a {
		a[i] = make([]float64, n)
		for j := range a[i] {
			a[i][j] = g[j*n+i]
		}
	}
	for i := range n {
		for j := range i {
			p := 0.0
			for k := range n {
				p += a[k][i] * a[k][j]
			}
			for k := range n {
				a[k][i] -= p * a[k][j]
			}
		}
		p := 0.0
		for k := range n {
			p += a[k][i] * a[k][i]
		}
		for k := range n {
			a[k][i] /= math.Sqrt(p)
		}
	}
	return a
}
