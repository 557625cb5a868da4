package merge

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // mathematics reads as mathematics

	"github.com/mergevo/mergevo/internal/dense"
	"github.com/mergevo/mergevo/tensors"
)

// Transposed ends the name of the Gram matrix of a weight that is kept as [in, out].
const Transposed = "^T"

// GramMatrices are those of the inputs of each model's linear layers.
var GramMatrices = &Statistic{
	Name: "gram", Doc: "the Gram matrices of the inputs of linear layers, X^T X / n, by the weights' names", Command: "mergevo gram",
	names: func(t tensors.Info) []tensors.Info {
		in, out := []int{0, 0}, []int{0, 0}
		if len(t.Shape) > 1 && t.Shape[0] > 0 {
			d := t.Len() / t.Shape[0]
			in = []int{d, d}
		}
		if len(t.Shape) == 2 {
			out = []int{t.Shape[0], t.Shape[0]}
		}
		return []tensors.Info{{Name: t.Name, Shape: in}, {Name: t.Name + Transposed, Shape: out}}
	},
}

var _ = row(Method{
	Name: "regmean", Doc: "Linear layers that answer, on the inputs that each model has for them, as nearly as can be as that model does; the average of everything else.",
	Math: "G_i = X_i^T X_i / n of the inputs X_i of a layer in model i; G~_i = alpha G_i + (1 - alpha) diag(G_i) + ridge t I, t the mean of the diagonal over the models; W^T = (sum_i w_i G~_i)^-1 sum_i w_i G~_i W_i^T; a tensor without a Gram matrix: sum_i w_i x_i / sum_i w_i. With X_i as the merged layers before give them (mergevo gram --progressive) it is RegMean++",
	Cite: "Jin et al. 2023, Dataless Knowledge Fusion by Merging Weights of Language Models, arXiv:2212.09849; Nguyen et al. 2025, RegMean++, arXiv:2508.03121",
	Base: BaseUnused, MinSources: 1,
	Params: []Param{
		{Name: "weight", PerSource: true, Default: 1, Min: 0, Max: math.Inf(1), Low: 0, High: 1, Start: 0.5, Doc: "share of the model: the factor of its Gram matrices"},
		{Name: "alpha", Default: 0.9, Min: 0, Max: 1, Low: 0, High: 1, Start: 0.9, Doc: "what is kept of the Gram matrices off their diagonals; less trusts the data less"},
		{Name: "ridge", Default: 1e-6, Min: 0, Max: math.Inf(1), Low: 1e-6, High: 1e-6, Start: 1e-6, Doc: "what is added to the diagonals, in parts of their mean: directions that no input has get the average"},
	},
	Statistic: GramMatrices,
	Valid: func(_ Values, source []Values) error {
		_, err := totalWeight(source)
		return err
	},
	Solves: func(p *Profile) bool { return len(p.source) > 0 && p.gramInfo() != nil },
	Solve:  solveRegMean,
	// The average, for tensors that are not solved for: c_i = w_i / sum w_j.
	SourceF: 1,
	Coef: func(_ *Profile, _ Values, source []Values, out Coefs) error {
		sum, err := totalWeight(source)
		if err != nil {
			return err
		}
		for i, s := range source {
			out.SetF(i, 0, s.Get("weight")/sum)
		}
		return nil
	},
	Mix: func(x *Operands) *Node {
		if y := x.Solved(); y != nil {
			return y
		}
		y := Mul(x.F(0, 0), x.Source(0))
		for i := 1; i < x.Len(); i++ {
			y = Add(y, Mul(x.F(i, 0), x.Source(i)))
		}
		return y
	},
})

// gramInfo is the header of the tensor's Gram matrix, nil where it has none.
func (p *Profile) gramInfo() *tensors.Info {
	if info, ok := GramMatrices.In(p.statistic[0], tensors.Info{Name: p.tensor, Shape: p.shape}); ok {
		return &info
	}
	return nil
}

// solveRegMean solves for a layer's weight in float64, by Cholesky's decomposition.
func solveRegMean(p *Profile, global Values, source []Values) ([]float32, error) {
	info := p.gramInfo()
	d := info.Shape[0]
	l := &normal{p: p, gram: info.Name, d: d, rows: p.n / d, transposed: info.Name != p.tensor, alpha: global.Get("alpha")}
	l.sum, l.right, l.weights = dense.New(d, d), dense.New(d, l.rows), dense.New(d, l.rows)
	var total float64
	for i, s := range source {
		if err := l.add(i, s.Get("weight")); err != nil {
			return nil, err
		}
		total += s.Get("weight")
	}
	lift := global.Get("ridge") * l.diagonal / float64(d)
	if l.diagonal == 0 {
		lift = total // no input at all: the average
	}
	for i := range d {
		l.sum.Data[i*d+i] += lift
	}
	for i, w := range l.weights.Data {
		l.right.Data[i] += lift / total * w
	}
	if !dense.Cholesky(l.sum) {
		return nil, fmt.Errorf("the models' Gram matrices have no inverse, or hardly one: raise ridge above %g, or give more examples to mergevo gram", global.Get("ridge"))
	}
	dense.SolveCholesky(l.sum, l.right)
	return l.solution(), nil
}

// normal are the equations of a layer's weight, kept as [in, out]: sum times it is right, but
// for the ridge.
type normal struct {
	p          *Profile
	gram       string // the name of its Gram matrices
	d, rows    int    // inputs and outputs
	transposed bool   // the weight is kept as [in, out]
	alpha      float64

	sum, right dense.Matrix // of w_i G~_i, [in, in], and of w_i G~_i W_i^T, [in, out]
	weights    dense.Matrix // sum of w_i W_i^T
	diagonal   float64      // sum of w_i G_i's
}

// add adds a source.
func (l *normal) add(source int, weight float64) error {
	d, g := l.d, dense.New(l.d, l.d)
	buf := make([]float32, max(d*d, l.p.n))
	if err := l.p.statistic[source].ReadAt(buf[:d*d], l.gram, 0); err != nil {
		return err
	}
	for r := range d {
		for c := range r + 1 {
			// What float32 sums left asymmetric is made even.
			x := weight * (float64(buf[r*d+c]) + float64(buf[c*d+r])) / 2
			if x-x != 0 {
				return fmt.Errorf("%s holds NaN or Inf in %s", l.p.statistic[source].Path(), l.gram)
			}
			if r != c {
				x *= l.alpha
			} else {
				l.diagonal += x
			}
			g.Data[r*d+c], g.Data[c*d+r] = x, x
		}
	}
	for i, x := range g.Data {
		l.sum.Data[i] += x
	}
	if err := l.p.source[source].ReadAt(buf[:l.p.n], l.p.tensor, 0); err != nil {
		return err
	}
	w := make([]float64, l.p.n)
	for i, x := range buf[:l.p.n] {
		w[i] = float64(x)
	}
	m := dense.Of(l.rows, d, w).T()
	if l.transposed {
		m = dense.Of(d, l.rows, w)
	}
	dense.AddMul(l.right, g, m, 1)
	for r := range d {
		for c := range l.rows {
			l.weights.Data[r*l.rows+c] += weight * m.At(r, c)
		}
	}
	return nil
}

// solution is the weight as its tensor keeps it, once right is solved for.
func (l *normal) solution() []float32 {
	out := make([]float32, l.p.n)
	m := l.right
	if !l.transposed {
		m = m.T()
	}
	for r := range m.Rows {
		for c := range m.Cols {
			out[r*m.Cols+c] = float32(m.At(r, c))
		}
	}
	return out
}
