package merge

import (
	"errors"
	"math"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // mathematics reads as mathematics

	"github.com/mergevo/mergevo/tensors"
)

// Fisher is the diagonal of each model's Fisher information matrix.
var Fisher = &Statistic{
	Name: "fisher", Doc: "the diagonal of the Fisher information, a number for each weight", Command: "mergevo fisher", Elementwise: true,
	names: func(t tensors.Info) []tensors.Info { return []tensors.Info{{Name: t.Name, Shape: t.Shape}} },
}

var _ = row(Method{
	Name: "fisher", Doc: "Average of the models in which each of a model's numbers weighs as much as its data ask for it.",
	Math: "y = sum_i w_i F_i x_i / sum_i w_i F_i; F_i is model i's diagonal Fisher information, the first model's (or, unless favor_target, each) at least floor, divided by its norm over the whole model if normalize; where all F_i are 0 the average by w_i",
	Cite: "Matena & Raffel 2022, Merging Models with Fisher-Weighted Averaging, arXiv:2111.09832",
	Base: BaseUnused, MinSources: 1,
	Params: []Param{
		{Name: "weight", PerSource: true, Default: 1, Min: 0, Max: math.Inf(1), Low: 0, High: 1, Start: 0.5, Doc: "share of the model"},
		{Name: "floor", Default: 1e-6, Min: 0, Max: math.Inf(1), Low: 1e-6, High: 1e-6, Start: 1e-6, Doc: "least Fisher information, as it is in the file; so that what no data asks for is the first model's"},
		flag("favor_target", true, "the floor is of the first model alone, the target; else of all"),
		flag("normalize", true, "divide each model's Fisher information by its L2 norm over all of its weights"),
	},
	Statistic: Fisher,
	Valid: func(_ Values, source []Values) error {
		_, err := totalWeight(source)
		return err
	},
	SourceF: 3, Coef: coefFisher, Mix: mixFisher,
})

// totalWeight is the sum of the models' weights, none of which is negative.
func totalWeight(source []Values) (float64, error) {
	var sum float64
	for _, s := range source {
		sum += s.Get("weight")
	}
	if sum == 0 {
		return 0, errors.New("all weights are 0: give one model a weight")
	}
	return sum, nil
}

// coefFisher: the factor of F_i, its floor, and the model's share where all F are 0.
func coefFisher(p *Profile, global Values, source []Values, out Coefs) error {
	sum, err := totalWeight(source)
	if err != nil {
		return err
	}
	for i, s := range source {
		w, norm, floor := s.Get("weight"), 1.0, 0.0
		if global.Is("normalize") {
			if norm, err = p.Norm(i); err != nil {
				return err
			}
			if norm == 0 {
				norm = 1 // it says nothing, but for the floor
			}
		}
		if i == 0 || !global.Is("favor_target") {
			floor = global.Get("floor")
		}
		out.SetF(i, 0, w/norm)
		out.SetF(i, 1, floor)
		out.SetF(i, 2, w/sum)
	}
	return nil
}

func mixFisher(x *Operands) *Node {
	var above, below, mean *Node
	for i := range x.Len() {
		f := Mul(x.F(i, 0), Max(x.Statistic(i), x.F(i, 1)))
		fx, wx := Mul(f, x.Source(i)), Mul(x.F(i, 2), x.Source(i))
		if i == 0 {
			above, below, mean = fx, f, wx
		} else {
			above, below, mean = Add(above, fx), Add(below, f), Add(mean, wx)
		}
	}
	none := Equal(below, ZerosLike(below))
	return Where(none, mean, Div(above, Where(none, OnesLike(below), below)))
}
