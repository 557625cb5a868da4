package merge

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // mathematics reads as mathematics
)

// Interpolation on spheres: inner products are measured, the factors of the models
// solved on the host, and what is left for the graph is a weighted sum.

var _ = row(Method{
	Name: "slerp", Doc: "Spherical interpolation between the base and one model.",
	Math: "y = [sin((1-t)a) b + sin(t a) x] / sin a, a the angle of b and x, whole tensor; linear when |cos a| > 0.9995",
	Cite: "Shoemake 1985, Animating rotation with quaternion curves; mergekit 0.1.5",
	Base: BaseRequired, MinSources: 1, MaxSources: 1,
	Params:  []Param{{Name: "t", Required: true, Min: math.Inf(-1), Max: math.Inf(1), Low: 0, High: 1, Start: 0.5, Doc: "0 gives the base, 1 the other model"}},
	GlobalF: 2, Coef: coefSlerp,
	Mix: func(x *Operands) *Node {
		return Add(Mul(x.Global(0), x.Base()), Mul(x.Global(1), x.Source(0)))
	},
})

// slerpColinear: above this |cosine| slerp falls back to a straight line.
const slerpColinear = 0.9995

func coefSlerp(p *Profile, global Values, _ []Values, out Coefs) error {
	g, err := p.Gram() // base and source
	if err != nil {
		return err
	}
	norm := func(sq float64) float64 {
		if n := math.Sqrt(sq); n > 1e-8 {
			return n
		}
		return 1
	}
	t := global.Get("t")
	cos := clip(g[0][1]/(norm(g[0][0])*norm(g[1][1])), -1, 1)
	a, b := 1-t, t
	if math.Abs(cos) <= slerpColinear {
		a, b = arc(cos, t)
	}
	out.SetGlobal(0, a)
	out.SetGlobal(1, b)
	return nil
}

// arc returns the factors of two vectors at t of the way between them, by the cosine
// of their angle.
func arc(cos, t float64) (a, b float64) {
	angle := math.Acos(cos)
	return math.Sin((1-t)*angle) / math.Sin(angle), math.Sin(t*angle) / math.Sin(angle)
}

func clip(x, lo, hi float64) float64 { return math.Max(lo, math.Min(hi, x)) }

var _ = row(Method{
	Name: "nuslerp", Doc: "Spherical interpolation between two models, or between their task vectors if there is a base; of tensors, rows or columns.",
	Math: "t = w_2 / (w_1 + w_2); y = [sin((1-t)a) v_1 + sin(t a) v_2] / sin a, a the angle of v_1 and v_2; v_i = x_i, or d_i added to b",
	Cite: "mergekit 0.1.5; Shoemake 1985",
	Base: BaseOptional, MinSources: 2, MaxSources: 2,
	Params: []Param{required(weight),
		structural(flag("nuslerp_flatten", true, "one angle for the tensor, not one a row")),
		structural(flag("nuslerp_row_wise", false, "without flatten: vectors run along the first axis, not the last, as mergekit names it"))},
	Deviation: "Angles are solved in float64: between nearly opposite vectors mergekit's, in float32, are rounding noise.",
	Rows: func(global Values, shape []int) Rows {
		switch {
		case global.Is("nuslerp_flatten"):
			return Rows{}
		case global.Is("nuslerp_row_wise"):
			return firstAxis(shape)
		}
		return lastAxis(shape)
	},
	GlobalF: 2, RowGlobalF: 2, Coef: coefNuslerp, Mix: mixNuslerp,
})

func coefNuslerp(p *Profile, _ Values, source []Values, out Coefs) error {
	w1, w2 := source[0].Get("weight"), source[1].Get("weight")
	t := 0.5
	if sum := w1 + w2; math.Abs(sum) >= 1e-6 {
		t = w2 / sum
	}
	grams, err := p.DeltaGrams(p.rowsOf(out))
	if err != nil {
		return err
	}
	for r, g := range grams {
		n1, n2 := math.Max(math.Sqrt(g[0][0]), 1e-7), math.Max(math.Sqrt(g[1][1]), 1e-7)
		cos := clip(g[0][1]/(n1*n2), -1, 1)
		a, b := 1-t, t
		// Parallel and opposite vectors, to float32's accuracy, as mergekit decides it:
		// between the latter an arc would magnify rounding noise.
		if math.Abs(float64(float32(cos))) < 1 {
			a, b = arc(cos, t)
		}
		out.SetOfRow(r, 0, a)
		out.SetOfRow(r, 1, b)
	}
	return nil
}

func mixNuslerp(x *Operands) *Node {
	a, b := x.OfRow(0), x.OfRow(1)
	y := Add(Mul(a, x.Delta(0)), Mul(b, x.Delta(1)))
	if x.Base() != nil {
		y = Add(x.Base(), y)
	}
	return y
}

var _ = row(Method{
	Name: "multislerp", Doc: "Barycentre of several models on the sphere, by one step from their mean direction; of task vectors if there is a base.",
	Math: "u_i = v_i/|v_i|, m = sum w_i u_i normalised, T = sum w_i (u_i - (u_i.m) m), r = |T|; y = (m cos r + T sin(r)/r) sum w_i |v_i|; v_i = x_i, or d_i added to b",
	Cite: "Goddard 2024, mergekit's multislerp; Buss & Fillmore 2001, Spherical averages",
	Base: BaseOptional, MinSources: 1,
	Params: []Param{required(weight), flag("normalize_weights", true, "divide the weights by their sum"),
		{Name: "eps", Default: 1e-8, Min: 0, Max: 1, Doc: "keeps norms from zero"}},
	Valid: func(global Values, source []Values) error {
		var total float64
		for _, s := range source {
			total += s.Get("weight")
		}
		if total == 0 && global.Is("normalize_weights") {
			return fmt.Errorf("the weights sum to 0 and normalize_weights divides by it: change a weight or set normalize_weights: false")
		}
		return nil
	},
	SourceF: 1, Coef: coefMultislerp, Mix: mixVectors,
})

// mixVectors is sum_i c_i v_i, added to the base if there is one.
func mixVectors(x *Operands) *Node {
	y := Mul(x.F(0, 0), x.Delta(0))
	for i := 1; i < x.Len(); i++ {
		y = Add(y, Mul(x.F(i, 0), x.Delta(i)))
	}
	if x.Base() != nil {
		y = Add(x.Base(), y)
	}
	return y
}

func coefMultislerp(p *Profile, global Values, source []Values, out Coefs) error {
	if len(source) == 1 {
		out.SetF(0, 0, 1)
		return nil
	}
	grams, err := p.DeltaGrams(p.whole())
	if err != nil {
		return err
	}
	g, eps := grams[0], global.Get("eps")
	var total float64
	w := make([]float64, len(source))
	for i, s := range source {
		w[i] = s.Get("weight")
		total += w[i]
	}
	if global.Is("normalize_weights") {
		for i := range w {
			w[i] /= total
		}
	}
	unit := make([]float64, len(w)) // u_i = unit_i v_i
	var scale float64
	for i := range w {
		n := math.Sqrt(g[i][i])
		unit[i] = 1 / (n + eps)
		if n+eps == 0 {
			unit[i] = 0
		}
		scale += w[i] * n
	}
	m := make([]float64, len(w)) // the mean direction, as a combination of the v_i
	for i := range m {
		m[i] = w[i] * unit[i]
	}
	length := math.Sqrt(math.Max(0, g.form(m, m)))
	if length < eps || length == 0 {
		if len(w) != 2 && g.trace() > 0 {
			return fmt.Errorf("the models' directions cancel under these weights: they have no mean direction")
		}
		for i := range w {
			out.SetF(i, 0, w[i]) // opposite models: the straight line between them
		}
		return nil
	}
	for i := range m {
		m[i] /= length
	}
	var along float64 // sum w_i (u_i . m)
	e := make([]float64, len(w))
	for i := range w {
		e[i] = unit[i]
		along += w[i] * g.form(e, m)
		e[i] = 0
	}
	tangent := make([]float64, len(w))
	for i := range w {
		tangent[i] = w[i]*unit[i] - along*m[i]
	}
	r := math.Sqrt(math.Max(0, g.form(tangent, tangent))) + eps
	sinc := 1.0
	if r > 0 {
		sinc = math.Sin(r) / r
	}
	for i := range w {
		out.SetF(i, 0, scale*(math.Cos(r)*m[i]+sinc*tangent[i]))
	}
	return nil
}

// form is the inner product of two combinations of the vectors.
func (g Gram) form(a, b []float64) float64 {
	var s float64
	for i, x := range a {
		for j, y := range b {
			s += x * y * g[i][j]
		}
	}
	return s
}

// trace is the sum of the squared norms.
func (g Gram) trace() float64 {
	var s float64
	for i := range g {
		s += g[i][i]
	}
	return s
}
