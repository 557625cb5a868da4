package merge

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // mathematics reads as mathematics
)

// Averages of whole models, entry by entry.

var _ = row(Method{
	Name: "linear", Doc: "Weighted average of the models.",
	Math:       "y = sum_i w_i x_i, divided by sum_i w_i if normalize",
	Cite:       "Wortsman et al. 2022, Model soups, arXiv:2203.05482",
	Base:       BaseUnused,
	MinSources: 1,
	Params:     []Param{required(weight), normalize(true, weights)},
	Linear:     true,
	Valid: func(global Values, source []Values) error {
		_, err := weightSum(global, source, 0)
		return err
	},
	Same: func(global Values, source []Values) bool {
		total, err := weightSum(global, source, 0)
		return err == nil && len(source) == 1 && float32(source[0].Get("weight")/total) == 1
	},
	SourceF: 1,
	// c_i = w_i, over their sum if normalize.
	Coef: func(_ *Profile, global Values, source []Values, out Coefs) error {
		total, err := weightSum(global, source, 0)
		if err != nil {
			return err
		}
		for i, s := range source {
			out.SetF(i, 0, s.Get("weight")/total)
		}
		return nil
	},
	Mix: func(x *Operands) *Node {
		y := Mul(x.F(0, 0), x.Source(0))
		for i := 1; i < x.Len(); i++ {
			y = Add(y, Mul(x.F(i, 0), x.Source(i)))
		}
		return y
	},
})

var _ = row(Method{
	Name: "passthrough", Doc: "One model's tensors, scaled or as they are: for stacking layers.",
	Math:       "y = scale x",
	Cite:       "mergekit 0.1.5",
	Base:       BaseUnused,
	MinSources: 1, MaxSources: 1,
	Same:    func(_ Values, source []Values) bool { return source[0].Get("scale") == 1 },
	Linear:  true,
	Params:  []Param{{Name: "scale", PerSource: true, Default: 1, Min: math.Inf(-1), Max: math.Inf(1), Low: 0, High: 1.5, Start: 1, Doc: "factor of the tensor"}},
	SourceF: 1,
	Coef: func(_ *Profile, _ Values, source []Values, out Coefs) error {
		out.SetF(0, 0, source[0].Get("scale"))
		return nil
	},
	Mix: func(x *Operands) *Node { return Mul(x.F(0, 0), x.Source(0)) },
})

var _ = row(Method{
	Name: "nearswap", Doc: "The base, moved to the model by at most t in each entry's weight: entries that differ little are taken over.",
	Math: "v = min(1, t / max(|x - b|, 1e-6)); y = v x + (1 - v) b",
	Cite: "alchemonaut, QuartetAnemoi-70B-t0.0001; mergekit 0.1.5",
	Base: BaseRequired, MinSources: 1, MaxSources: 1,
	Params:  []Param{{Name: "t", Required: true, Min: 0, Max: math.Inf(1), Low: 0, High: 0.01, Start: 0.001, Doc: "difference up to which the model's entry is taken whole"}},
	GlobalF: 2,
	Coef: func(_ *Profile, global Values, _ []Values, out Coefs) error {
		out.SetGlobal(0, global.Get("t"))
		out.SetGlobal(1, global.Get("t")/nearFloor)
		return nil
	},
	// v (x - b) is t with the sign of x - b, or a product next to 0: without the
	// quotient, and with a select between the product and the sum, no backend rounds
	// it in its own way.
	Mix: func(x *Operands) *Node {
		t, d, m := x.Global(0), x.Delta(0), x.Magnitude(0)
		slope := Mul(x.Global(1), d)
		choose := func(c, yes, no *Node) *Node {
			wide := func(v *Node) *Node { return BroadcastToShape(v, withDType(slope, v.DType())) }
			return Where(wide(c), wide(yes), wide(no))
		}
		step := choose(GreaterThan(d, ZerosLike(d)), t, Neg(t))
		step = choose(LessThan(m, Const(m.Graph(), float32(nearFloor))), slope, step)
		whole := LessOrEqual(MaxScalar(m, float32(nearFloor)), t)
		return choose(whole, x.Source(0), Add(x.Base(), step))
	},
})

// nearFloor is the least |x - b| that nearswap divides by.
const nearFloor = 1e-6

// weightSum returns the divisor of normalize: the sum of the weights, or 1
// without it. A magnitude up to floor counts as "do not divide"; with floor 0,
// a sum of zero is an error, since every entry would be Inf or NaN.
func weightSum(global Values, source []Values, floor float64) (float64, error) {
	if !global.Is("normalize") {
		return 1, nil
	}
	var sum float64
	for _, s := range source {
		sum += s.Get("weight")
	}
	switch {
	case floor > 0 && math.Abs(sum) < floor:
		return 1, nil
	case sum == 0:
		return 0, fmt.Errorf("the weights sum to 0 and normalize divides by it: change a weight or set normalize: false")
	}
	return sum, nil
}
