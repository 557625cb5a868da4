package merge

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // mathematics reads as mathematics
)

var _ = row(Method{
	Name: "model_stock", Doc: "The mean of the models, drawn to the base by how little their task vectors agree.",
	Math: "c = mean over pairs of cos(d_i, d_j), t = N c / (1 + (N-1) c); y = t mean(x_i) + (1 - t) b",
	Cite: "Jang et al. 2024, Model Stock, arXiv:2403.19522",
	Base: BaseRequired, MinSources: 2,
	Params: []Param{structural(flag("filter_wise", false, "an angle for each vector along the last axis, not one for the tensor"))},
	Inert:  []string{"weight", "density", "int8_mask"},
	Rows: func(global Values, shape []int) Rows {
		if global.Is("filter_wise") {
			return lastAxis(shape)
		}
		return Rows{}
	},
	GlobalF: 2, RowGlobalF: 2, Coef: coefStock,
	Mix: func(x *Operands) *Node {
		share, rest := x.OfRow(0), x.OfRow(1)
		y := Mul(share, x.Source(0))
		for i := 1; i < x.Len(); i++ {
			y = Add(y, Mul(share, x.Source(i)))
		}
		return Add(y, Mul(rest, x.Base()))
	},
})

func coefStock(p *Profile, _ Values, source []Values, out Coefs) error {
	grams, err := p.DeltaGrams(p.rowsOf(out))
	if err != nil {
		return err
	}
	n := float64(len(source))
	for r, g := range grams {
		var c, pairs float64
		for i := range g {
			for j := range i {
				c += clip(g[i][j]/math.Max(math.Sqrt(g[i][i])*math.Sqrt(g[j][j]), 1e-6), -1, 1)
				pairs++
			}
		}
		c /= pairs
		t := 0.0
		if d := 1 + (n-1)*c; math.Abs(d) >= 1e-6 {
			t = n * c / d
		}
		out.SetOfRow(r, 0, t/n)
		out.SetOfRow(r, 1, 1-t)
	}
	return nil
}
