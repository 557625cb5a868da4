package merge

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // mathematics reads as mathematics
	"gonum.org/v1/gonum/mat"

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
	rows := p.n / d // of the weight as [out, in]
	transposed := info.Name != p.tensor
	alpha, ridge := global.Get("alpha"), global.Get("ridge")
	sum, right := mat.NewSymDense(d, nil), mat.NewDense(d, rows, nil)
	grams := make([][]float64, len(source))
	var diagonal, total float64
	buf := make([]float32, max(d*d, p.n))
	for i, s := range source {
		if err := p.statistic[i].ReadAt(buf[:d*d], info.Name, 0); err != nil {
			return nil, err
		}
		g := make([]float64, d*d)
		w := s.Get("weight")
		for r := range d {
			for c := range d {
				// What float32 sums left asymmetric is made even.
				x := (float64(buf[r*d+c]) + float64(buf[c*d+r])) / 2
				if r != c {
					x *= alpha
				} else {
					diagonal += w * x
				}
				g[r*d+c] = w * x
			}
		}
		grams[i], total = g, total+w
	}
	if math.IsNaN(diagonal) || math.IsInf(diagonal, 0) {
		return nil, fmt.Errorf("a Gram matrix of %s holds NaN or Inf", p.tensor)
	}
	lift := ridge * diagonal / float64(d) / total
	if diagonal == 0 {
		lift = 1 // no input at all: the average
	}
	weight := mat.NewDense(d, rows, nil)
	for i, s := range source {
		g := grams[i]
		for r := range d {
			g[r*d+r] += s.Get("weight") * lift
			for c := r; c < d; c++ {
				sum.SetSym(r, c, sum.At(r, c)+g[r*d+c])
			}
		}
		if err := p.source[i].ReadAt(buf[:p.n], p.tensor, 0); err != nil {
			return nil, err
		}
		for r := range rows {
			for c := range d {
				if transposed {
					weight.Set(c, r, float64(buf[c*rows+r]))
				} else {
					weight.Set(c, r, float64(buf[r*d+c]))
				}
			}
		}
		var part mat.Dense
		part.Mul(mat.NewDense(d, d, g), weight)
		right.Add(right, &part)
		grams[i] = nil
	}
	var chol mat.Cholesky
	if !chol.Factorize(sum) {
		return nil, fmt.Errorf("the models' Gram matrices have no inverse: raise ridge above %g, or give more examples to mergevo gram", ridge)
	}
	if err := chol.SolveTo(weight, right); err != nil {
		return nil, fmt.Errorf("the models' Gram matrices are nearly singular: raise ridge above %g (%w)", ridge, err)
	}
	out := make([]float32, p.n)
	for r := range rows {
		for c := range d {
			if transposed {
				out[c*rows+r] = float32(weight.At(c, r))
			} else {
				out[r*d+c] = float32(weight.At(c, r))
			}
		}
	}
	return out, nil
}
