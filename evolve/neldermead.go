package evolve

import (
	"context"
	"math"
	"slices"
)

var _ = row(Algorithm{
	Name:     "neldermead",
	Doc:      "Nelder and Mead's simplex, with coefficients that suit the number of genes, begun anew where it has shrunk to a point.",
	Use:      "up to ten smooth numbers, one candidate at a time; as a baseline",
	Seedless: true,
	Cite:     "Nelder and Mead 1965, A Simplex Method for Function Minimization; Gao and Han 2012, Implementing the Nelder-Mead simplex algorithm with adaptive parameters",
	New: func(box Box, o Settings) (Optimizer[[]float64], error) {
		s := &Simplex{n: len(box), sigma: o.Sigma, step: simplexFirst, asked: asked{first: 1}}
		start := box.Start()
		if o.Start != nil {
			start = o.Start
		}
		s.begin(unfolded(start))
		return s, nil
	},
})

// Simplex is the downhill simplex method, upside down. It asks for the whole simplex
// first, then for one point at a time, and for n where it shrinks. Points outside the
// box are folded into it.
type Simplex struct {
	n        int
	sigma    float64  // the first edge
	step     int      // what is asked for
	vertices []vertex // n+1, best first once they are told
	trial    vertex   // the reflection, while something else is asked for
	restarts int
	asked
}

// vertex is a point of the unbounded space with its score.
type vertex struct {
	x     []float64
	score Score
	id    uint64
}

const (
	simplexFirst = iota
	simplexReflect
	simplexExpand
	simplexOutside
	simplexInside
	simplexShrink
	simplexSteps
)

// begin lays the simplex about a point.
func (s *Simplex) begin(x []float64) {
	s.vertices = nil
	edge := s.sigma
	for i := range s.restarts {
		edge *= 0.5 // smaller ones from where it got to, back to large ones in turn
		if i%4 == 3 {
			edge = s.sigma
		}
	}
	for k := range s.n + 1 {
		v := slices.Clone(x)
		if k > 0 {
			if v[k-1] > 0.5 {
				v[k-1] -= edge
			} else {
				v[k-1] += edge
			}
		}
		s.vertices = append(s.vertices, vertex{x: v})
	}
	s.step = simplexFirst
}

// along is the point c + t(c - w) of the line from the worst vertex through the mean of
// the others.
func (s *Simplex) along(t float64) []float64 {
	c := make([]float64, s.n)
	for _, v := range s.vertices[:s.n] {
		addScaled(c, 1/float64(s.n), v.x)
	}
	worst := s.vertices[s.n].x
	for i := range c {
		c[i] += t * (c[i] - worst[i])
	}
	return c
}

// factors are Gao and Han's: how far a reflection goes, an expansion, a contraction, and
// what is left by a shrinkage.
func (s *Simplex) factors() (reflection, expansion, contraction, shrinkage float64) {
	n := math.Max(2, float64(s.n))
	return 1, 1 + 2/n, 0.75 - 1/(2*n), 1 - 1/n
}

func (s *Simplex) points() [][]float64 {
	r, e, c, sh := s.factors()
	switch s.step {
	case simplexReflect:
		return [][]float64{s.along(r)}
	case simplexExpand:
		return [][]float64{s.along(r * e)}
	case simplexOutside:
		return [][]float64{s.along(r * c)}
	case simplexInside:
		return [][]float64{s.along(-r * c)}
	case simplexShrink:
		var out [][]float64
		for _, v := range s.vertices[1:] {
			x := slices.Clone(s.vertices[0].x)
			for i := range x {
				x[i] += sh * (v.x[i] - x[i])
			}
			out = append(out, x)
		}
		return out
	}
	var out [][]float64
	for _, v := range s.vertices {
		out = append(out, v.x)
	}
	return out
}

// Ask implements Optimizer.
func (s *Simplex) Ask(ctx context.Context) ([]Candidate[[]float64], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	points := s.points()
	for i, x := range points {
		points[i] = slices.Clone(x)
		foldAll(points[i])
	}
	s.out = true
	return candidates(s.first, points), nil
}

// Tell implements Optimizer.
func (s *Simplex) Tell(told []Scored[[]float64]) error {
	points := s.points()
	if err := match(s.asked, len(points), told); err != nil {
		return err
	}
	got := make([]vertex, len(points))
	for _, t := range told {
		k := t.ID - s.first
		got[k] = vertex{points[k], Score{Value: t.Value, Tie: t.Tie}, t.ID}
		if t.Failed() {
			got[k].score.Value = math.NaN()
		}
	}
	s.learn(got)
	s.asked = asked{first: s.first + uint64(len(told))}
	if s.step == simplexReflect && s.width() < 1e-7 {
		s.restarts++
		s.begin(s.vertices[0].x)
	}
	return nil
}

func (s *Simplex) learn(got []vertex) {
	n := s.n
	switch s.step {
	case simplexFirst:
		s.vertices = got
		s.rank()
		return
	case simplexShrink:
		s.vertices = append(s.vertices[:1:1], got...)
		s.rank()
		return
	case simplexReflect:
		switch r := got[0]; {
		case r.before(s.vertices[0]):
			s.trial, s.step = r, simplexExpand
		case r.before(s.vertices[max(0, n-1)]):
			s.replace(r)
		case r.before(s.vertices[n]):
			s.trial, s.step = r, simplexOutside
		default:
			s.trial, s.step = r, simplexInside
		}
	case simplexExpand:
		if got[0].before(s.trial) {
			s.replace(got[0])
		} else {
			s.replace(s.trial)
		}
	case simplexOutside:
		if s.trial.before(got[0]) {
			s.step = simplexShrink
		} else {
			s.replace(got[0])
		}
	case simplexInside:
		if got[0].before(s.vertices[n]) {
			s.replace(got[0])
		} else {
			s.step = simplexShrink
		}
	}
}

// replace puts a vertex in the place of the worst.
func (s *Simplex) replace(v vertex) {
	s.vertices[s.n] = v
	s.rank()
}

func (s *Simplex) rank() {
	slices.SortStableFunc(s.vertices, func(a, b vertex) int { return Compare(a.scored(), b.scored()) })
	s.step, s.trial = simplexReflect, vertex{}
}

func (v vertex) scored() Scored[struct{}] {
	return Scored[struct{}]{Candidate: Candidate[struct{}]{ID: v.id}, Score: v.score}
}

func (v vertex) before(w vertex) bool { return Better(v.scored(), w.scored()) }

// width is the largest distance of a coordinate from the best vertex.
func (s *Simplex) width() float64 {
	w := 0.0
	for _, v := range s.vertices[1:] {
		for i, x := range v.x {
			w = math.Max(w, math.Abs(x-s.vertices[0].x[i]))
		}
	}
	return w
}

// Stop implements Optimizer: "tolx" after it has shrunk to a point ten times.
func (s *Simplex) Stop() string {
	if s.restarts >= 10 {
		return "tolx"
	}
	return ""
}

const (
	simplexKind    = "evolve/neldermead"
	simplexVersion = 1
)

// MarshalBinary implements Optimizer.
func (s *Simplex) MarshalBinary() ([]byte, error) {
	return marshal(simplexKind, simplexVersion, func(f fields) { s.state(f, 0) })
}

// UnmarshalBinary implements Optimizer.
func (s *Simplex) UnmarshalBinary(data []byte) error {
	var r Simplex
	if err := unmarshal(data, simplexKind, simplexVersion, func(f fields) { r.state(f, s.n) }); err != nil {
		return err
	}
	*s = r
	return nil
}

func (s *Simplex) state(f fields, n int) {
	f.genes(&s.n, n)
	f.within("sigma", &s.sigma, 1e-300, 1)
	f.int("step", &s.step, simplexFirst, simplexSteps-1)
	f.int("restarts", &s.restarts, 0, 1<<20)
	f.asked(&s.asked)
	if f.reading() {
		s.vertices = make([]vertex, s.n+1)
	}
	for i := range s.vertices {
		s.vertices[i].state(f, s.n)
		if !f.ok() {
			return
		}
	}
	has := s.trial.x != nil
	if f.bool("trial", &has); has {
		s.trial.state(f, s.n)
	} else if s.step == simplexExpand || s.step == simplexOutside {
		f.fail("a step has no reflection")
	}
}

func (v *vertex) state(f fields, n int) {
	f.vector("vertex", &v.x, n)
	f.float(&v.score.Value)
	f.float(&v.score.Tie)
	f.uint(&v.id)
}
