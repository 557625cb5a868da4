package merge

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // mathematics reads as mathematics
)

// Sums and sign elections of task vectors: which entries of each are kept, times
// how those that are kept are joined.

var _ = row(Method{
	Name: "task_arithmetic", Doc: "The base plus a weighted sum of the task vectors.",
	Math: "y = b + lambda sum_i w_i d_i, the sum divided by sum_i w_i if normalize",
	Cite: "Ilharco et al. 2023, Editing models with task arithmetic, arXiv:2212.04089",
	Base: BaseRequired, MinSources: 1,
	Params:  []Param{required(weight), lambda, normalize(false, weights)},
	Inert:   []string{"density", "rescale", "int8_mask"},
	Linear:  true,
	SourceF: 1, Coef: coefSum(keepAll), Mix: mixSum(maskNone),
})

var _ = row(Method{
	Name: "ties", Doc: "Trim each task vector to its largest entries, elect a sign an entry, average those that agree.",
	Math: "s_i = the int(density n) largest |d_i| of the tensor; D_i = w_i s_i; g = sign(sum D_i), 0 counts as +; y = b + lambda sum_{D_i agrees} D_i / sum_{agrees} w_i",
	Cite: "Yadav et al. 2023, TIES-Merging, arXiv:2306.01708",
	Base: BaseRequired, MinSources: 1,
	Params:  []Param{required(weight), density, lambda, normalize(true, agreeing), rescale(false)},
	Elects:  true,
	Inert:   []string{"int8_mask"},
	SourceF: 3, SourceU: 1, GlobalF: 2, Coef: coefElect(keepLargest), Mix: mixElect(maskLargest),
})

var _ = row(Method{
	Name: "dare_linear", Doc: "Drop entries of each task vector at random, rescale the rest, add them to the base.",
	Math: "s_i = d_i kept with probability density, times sum|d_i| / sum|kept d_i| if rescale (or 1/density); y = b + lambda sum_i w_i s_i",
	Cite: "Yu et al. 2024, DARE, arXiv:2311.03099; the L1 rescale is mergekit's",
	Base: BaseRequired, MinSources: 1,
	Params:    []Param{required(weight), density, lambda, normalize(false, weights), rescale(true), rescaleBy},
	Deviation: ownNoise,
	Inert:     []string{"int8_mask"},
	SourceF:   1, SourceU: 3, Coef: coefSum(keepRandom), Mix: mixSum(maskRandom),
})

var _ = row(Method{
	Name: "dare_ties", Doc: "DARE's random drop, then the sign election of TIES.",
	Math: "s_i as dare_linear, then the election of ties without a second trim",
	Cite: "Yu et al. 2024, DARE, arXiv:2311.03099; Yadav et al. 2023, TIES-Merging",
	Base: BaseRequired, MinSources: 1,
	Params:    []Param{required(weight), density, lambda, normalize(false, agreeing), rescale(true), rescaleBy},
	Deviation: ownNoise, Elects: true,
	Inert:   []string{"int8_mask"},
	SourceF: 2, SourceU: 3, GlobalF: 2, Coef: coefElect(keepRandom), Mix: mixElect(maskRandom),
})

const ownNoise = "The noise is a counter hash of seed, model, tensor and index, not torch's: the same statistics, other bits."

// keeper sets a source's mask fields, which start at float field f, and returns
// the factor by which what the mask keeps is rescaled.
type keeper func(p *Profile, source int, global, v Values, f int, out Coefs) (float64, error)

// coefSum: y = b + sum_i c_i s_i, c_i = lambda w_i scale_i / norm.
func coefSum(keep keeper) func(*Profile, Values, []Values, Coefs) error {
	return func(p *Profile, global Values, source []Values, out Coefs) error {
		total, err := weightSum(global, source, 1e-8)
		if err != nil {
			return err
		}
		for i, s := range source {
			scale, err := keep(p, i, global, s, 1, out)
			if err != nil {
				return err
			}
			out.SetF(i, 0, global.Get("lambda")*s.Get("weight")*scale/total)
		}
		return nil
	}
}

// coefElect: field 0 is c_i = w_i scale_i, which votes; field 1 is the weight in
// the divisor. With a negative weight the divisor sums |w_i|, since signed ones
// can cancel and blow the quotient up.
func coefElect(keep keeper) func(*Profile, Values, []Values, Coefs) error {
	return func(p *Profile, global Values, source []Values, out Coefs) error {
		for i, s := range source {
			scale, err := keep(p, i, global, s, 2, out)
			if err != nil {
				return err
			}
			w := s.Get("weight")
			out.SetF(i, 0, w*scale)
			out.SetF(i, 1, w)
			if anyNegative(source) && !p.asMergekit {
				out.SetF(i, 1, math.Abs(w))
			}
		}
		out.SetGlobal(0, global.Get("lambda"))
		out.SetGlobal(1, global.Get("normalize"))
		return nil
	}
}

func anyNegative(source []Values) bool {
	for _, s := range source {
		if s.Get("weight") < 0 {
			return true
		}
	}
	return false
}

func keepAll(*Profile, int, Values, Values, int, Coefs) (float64, error) { return 1, nil }

// keepLargest keeps max(1, int(density n)) entries: above the cut's magnitude,
// or equal to it up to an index. Density 0 keeps none.
func keepLargest(p *Profile, source int, global, v Values, f int, out Coefs) (float64, error) {
	c, err := p.Top(source, topCount(v.Get("density"), p.Len()))
	if err != nil {
		return 0, err
	}
	out.SetF(source, f, float64(c.Mag))
	out.SetU(source, 0, c.Last)
	if !global.Is("rescale") {
		return 1, nil
	}
	return p.rescaleTop(source, c)
}

func topCount(density float64, n int) int {
	if density <= 0 {
		return 0
	}
	return max(1, int(density*float64(n)))
}

// keepRandom keeps an entry iff its noise is below floor(density 2^32).
func keepRandom(p *Profile, source int, global, v Values, _ int, out Coefs) (float64, error) {
	k := p.noise(source)
	d := v.Get("density")
	out.SetU(source, 0, k[0])
	out.SetU(source, 1, k[1])
	out.SetU(source, 2, noiseLimit(d))
	switch {
	case noiseCount(d) == 0:
		return 0, nil // nothing is kept: the limit cannot say so, the factor can
	case !global.Is("rescale"):
		return 1, nil
	case global.Word("rescale_by") == "density":
		return 1 / d, nil
	}
	return p.rescaleNoise(source, d)
}

// mask says which entries of source i's task vector are kept, [P, N] or [1, N];
// nil keeps all. Its float fields start at f.
type mask func(x *Operands, i, f int) *Node

func maskNone(*Operands, int, int) *Node { return nil }

func maskLargest(x *Operands, i, f int) *Node {
	m := x.Magnitude(i)
	at := x.F(i, f)
	return LogicalOr(GreaterThan(m, at), LogicalAnd(Equal(m, at), LessOrEqual(x.Index(), x.U(i, 0))))
}

func maskRandom(x *Operands, i, _ int) *Node {
	return LessOrEqual(hash(x, i), x.U(i, 2))
}

// hash is the noise of source i, whose key is in its first two uint32 fields,
// uint32 [P, N].
func hash(x *Operands, i int) *Node {
	return Mix32(Add(Mix32(BitwiseXor(x.Index(), x.U(i, 0))), x.U(i, 1)))
}

// Mix32 is mix32, the hash behind all noise, of uint32 nodes of any shape.
func Mix32(h *Node) *Node {
	g := h.Graph()
	shift := func(n uint32) *Node { return BitwiseShiftRightLogical(h, Const(g, n)) }
	h = BitwiseXor(h, shift(16))
	h = Mul(h, Const(g, uint32(mix1)))
	h = BitwiseXor(h, shift(15))
	h = Mul(h, Const(g, uint32(mix2)))
	return BitwiseXor(h, shift(16))
}

// kept returns field 0 times the task vector where the mask keeps it, else 0. The
// select stands between the product and any sum, so that no backend fuses the
// two and elections see the same rounded products everywhere.
func kept(x *Operands, keep mask, i, f int) *Node {
	d := Mul(x.F(i, 0), x.Delta(i))
	if x.method.RowF > 0 {
		d = Mul(d, x.RowF(x.Ranks(i), i, 0)) // 1, or what the rank's odds leave out
	}
	m := keep(x, i, f)
	if m == nil {
		return d
	}
	m = BroadcastToShape(m, withDType(d, m.DType()))
	return Where(m, d, ZerosLike(d))
}

// mixSum: b + sum_i c_i s_i.
func mixSum(keep mask) func(*Operands) *Node {
	return func(x *Operands) *Node {
		y := kept(x, keep, 0, 1)
		for i := 1; i < x.Len(); i++ {
			y = Add(y, kept(x, keep, i, 1))
		}
		return Add(x.Base(), y)
	}
}

// mixElect is the sign election of TIES over what is kept.
func mixElect(keep mask) func(*Operands) *Node {
	return func(x *Operands) *Node {
		votes := make([]*Node, x.Len())
		for i := range votes {
			votes[i] = kept(x, keep, i, 2)
		}
		return elect(x, votes)
	}
}

// elect is b + lambda sum_{agree} D_i / sum_{agree} v_i for votes D_i; v_i is field
// 1 of each source, lambda and normalize are the first two global fields.
func elect(x *Operands, votes []*Node) *Node {
	total := votes[0]
	for _, v := range votes[1:] {
		total = Add(total, v)
	}
	zero := ZerosLike(total)
	up := GreaterOrEqual(total, zero) // a tie counts as +, as mergekit has it
	var sum, div *Node
	for i, v := range votes {
		agrees := Where(up, GreaterThan(v, zero), LessThan(v, zero)) // zeros never agree
		s := Where(agrees, v, zero)
		w := Where(agrees, BroadcastToShape(x.F(i, 1), zero.Shape()), zero)
		if i == 0 {
			sum, div = s, w
		} else {
			sum, div = Add(sum, s), Add(div, w)
		}
	}
	one := OnesLike(div)
	plain := BroadcastToShape(Equal(x.Global(1), ZerosLike(x.Global(1))), withDType(zero, up.DType()))
	div = Where(LogicalOr(plain, Equal(div, zero)), one, div)
	return Add(x.Base(), Mul(x.Global(0), Div(sum, div)))
}
