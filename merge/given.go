package merge

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
)

// Given is the spec of a candidate that is no merge: small networks that mutate keep
// weights of their own. They go to the device as coefficients, and the parents, which
// say what the tensors are, are not read. weights gives those of a tensor in the order
// they are stored in; it is called several times for each.
func Given(parts []Part, weights func(tensor string) []float32) *Spec {
	return &Spec{Method: given, Parts: parts, Params: func(tensor string) (Values, []Values) {
		global := given.NewValues()
		global.Weights = weights(tensor)
		return global, nil
	}}
}

// Given reports whether a spec is a candidate's that is no merge.
func (s *Spec) Given() bool { return s.Method == given }

// given is in no table: no recipe can say it.
var given = &Method{
	Name: "given",
	Rows: func(_ Values, shape []int) Rows {
		n := size(shape)
		return Rows{Count: n, Div: 1, Mod: n}
	},
	RowGlobalF: 1,
	Coef: func(p *Profile, global Values, _ []Values, out Coefs) error {
		if len(global.Weights) != p.n {
			return fmt.Errorf("%d weights are given for %d", len(global.Weights), p.n)
		}
		copy(out.f, global.Weights)
		return nil
	},
	// Only whole tensors are made in this way, so that a row is an element.
	Mix: func(x *Operands) *graph.Node {
		return graph.Slice(x.f, graph.AxisRange(), graph.AxisRange(0, x.rows.Count))
	},
}
