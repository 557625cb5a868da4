package evolve

import (
	"context"
	"math"
	"slices"
)

var _ = row(Algorithm{
	Name:       "lm-cmaes",
	Doc:        "LM-MA-ES: a covariance of limited memory, kept as a few directions instead of a matrix.",
	Use:        "thousands of numbers that do depend on each other; below a thousand cmaes needs fewer evaluations",
	Cite:       "Loshchilov, Glasmachers and Beyer 2019, Large Scale Black-box Optimization by Limited-Memory Matrix Adaptation, IEEE TEVC 23(2), arXiv:1705.06693",
	Population: "4 + floor(3 ln n)",
	Free:       true,
	New: func(box Box, o Settings) (Optimizer[[]float64], error) {
		set(&o.Population, max(2, defaultPopulation(len(box))))
		l := &LMMA{seed: o.Seed, free: o.Free, sigma: o.Sigma, asked: asked{first: 1}}
		if l.constants(len(box), max(2, o.Population)); o.Start == nil {
			o.Start = box.Start()
		}
		l.mean = CMAOptions{Free: o.Free}.unfold(o.Start)
		l.path = make([]float64, l.n)
		l.directions = newRows(l.memory, l.n)
		return l, nil
	},
})

// LMMA is the limited-memory matrix adaptation evolution strategy. A generation costs
// O(n log n) a candidate, and the state is about 4 + 3 ln n vectors.
type LMMA struct {
	n, lambda, memory int
	weights           []float64
	mueff, cs         float64
	free              bool // searches all of ℝⁿ
	seed              uint64

	mean       []float64
	sigma      float64
	path       []float64   // p_sigma
	directions [][]float64 // m_i, of slower and slower paths
	updates    int
	flat       int // generations in a row whose candidates were all alike
	asked
}

// constants are the paper's table 1.
func (l *LMMA) constants(n, lambda int) {
	l.n, l.lambda = n, lambda
	l.memory = 4 + int(3*math.Log(float64(n)))
	s := newVariant(n, lambda, Separable)
	l.weights, l.mueff = s.weights[:s.mu], s.mueff
	l.cs = math.Min(0.9, 2*float64(lambda)/float64(n))
}

// rates are c_d and c_c of direction i, from 0.
func (l *LMMA) rates(i int) (cd, cc float64) {
	n := float64(l.n)
	return 1 / (math.Pow(1.5, float64(i)) * n), math.Min(0.9, float64(l.lambda)/(math.Pow(4, float64(i))*n))
}

// draw returns candidate k's standard normal vector and its step.
func (l *LMMA) draw(k int) (z, step []float64) {
	rng := Draws(l.seed, l.first+uint64(k))
	z = make([]float64, l.n)
	for i := range z {
		z[i] = rng.NormFloat64()
	}
	step = slices.Clone(z)
	for i, m := range l.directions[:min(l.updates, l.memory)] {
		cd, _ := l.rates(i)
		f := cd * dot(m, step)
		for j := range step {
			step[j] = (1-cd)*step[j] + f*m[j]
		}
	}
	return z, step
}

// Ask implements Optimizer.
func (l *LMMA) Ask(ctx context.Context) ([]Candidate[[]float64], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.out = true
	pop := make([]Candidate[[]float64], l.lambda)
	for k := range pop {
		_, x := l.draw(k)
		for i := range x {
			if x[i] = l.mean[i] + l.sigma*x[i]; !l.free {
				x[i] = unitBounds.fold(x[i])
			}
		}
		pop[k] = Candidate[[]float64]{ID: l.first + uint64(k), Genome: x}
	}
	return pop, nil
}

// Tell implements Optimizer. A generation of which all failed changes nothing.
func (l *LMMA) Tell(told []Scored[[]float64]) error {
	if err := match(l.asked, l.lambda, told); err != nil {
		return err
	}
	ranked := slices.Clone(told)
	Rank(ranked)
	if best, last := ranked[0], ranked[len(ranked)-1]; best.Failed() || best.Value == last.Value && best.tie() == last.tie() {
		l.flat++
	} else {
		l.flat = 0
	}
	if !ranked[0].Failed() {
		l.update(ranked)
	}
	l.asked = asked{first: l.first + uint64(len(told))}
	return nil
}

func (l *LMMA) update(ranked []Scored[[]float64]) {
	zw, shift := make([]float64, l.n), make([]float64, l.n)
	for k, w := range l.weights {
		z, step := l.draw(int(ranked[k].ID - l.first))
		addScaled(zw, w, z)
		addScaled(shift, w, step)
	}
	addScaled(l.mean, l.sigma, shift)
	follow := func(path []float64, c float64) {
		f := math.Sqrt(l.mueff * c * (2 - c))
		for i := range path {
			path[i] = (1-c)*path[i] + f*zw[i]
		}
	}
	follow(l.path, l.cs)
	for i, m := range l.directions {
		_, cc := l.rates(i)
		follow(m, cc)
	}
	l.sigma *= math.Exp(math.Min(1, l.cs/2*(dot(l.path, l.path)/float64(l.n)-1)))
	if l.sigma = math.Max(l.sigma, 1e-150); !l.free {
		l.sigma = math.Min(l.sigma, maxStd)
	}
	l.updates++
}

// Stop implements Optimizer: tolx when steps are below 1e-11, tolflatfitness when
// scores have been alike for more than ten generations.
func (l *LMMA) Stop() string {
	switch {
	case l.sigma < 1e-11:
		return "tolx"
	case l.flat > 10:
		return "tolflatfitness"
	}
	return ""
}

// Center implements Centered.
func (l *LMMA) Center() ([]float64, bool) {
	x := slices.Clone(l.mean)
	if !l.free {
		foldAll(x)
	}
	return x, l.updates > 0
}

func foldAll(x []float64) {
	for i, v := range x {
		x[i] = unitBounds.fold(v)
	}
}

const (
	lmmaKind    = "evolve/lm-cmaes"
	lmmaVersion = 1
)

// MarshalBinary implements Optimizer.
func (l *LMMA) MarshalBinary() ([]byte, error) {
	return marshal(lmmaKind, lmmaVersion, func(f fields) { l.state(f, 0) })
}

// UnmarshalBinary implements Optimizer.
func (l *LMMA) UnmarshalBinary(data []byte) error {
	var s LMMA
	if err := unmarshal(data, lmmaKind, lmmaVersion, func(f fields) { s.state(f, l.n) }); err != nil {
		return err
	}
	*l = s
	return nil
}

func (l *LMMA) state(f fields, n int) {
	genes, lambda := l.n, l.lambda
	f.genes(&genes, n)
	f.int("population", &lambda, 2, maxPopulation)
	if f.reading() && f.ok() {
		l.constants(genes, lambda)
		l.directions = make([][]float64, l.memory)
	}
	f.bool("free", &l.free)
	f.uint(&l.seed)
	f.vector("mean", &l.mean, genes)
	f.within("sigma", &l.sigma, 1e-200, math.MaxFloat64)
	f.vector("path", &l.path, genes)
	for i := range l.directions {
		f.vector("direction", &l.directions[i], genes)
	}
	f.int("updates", &l.updates, 0, math.MaxInt32)
	f.int("flat", &l.flat, 0, math.MaxInt32)
	f.asked(&l.asked)
}
