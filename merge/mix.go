package merge

import (
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // mathematics reads as mathematics
)

// mixLinear: sum_i c_i x_i.
func mixLinear(x *Operands) *Node {
	y := Mul(x.F(0, 0), x.Source(0))
	for i := 1; i < x.Len(); i++ {
		y = Add(y, Mul(x.F(i, 0), x.Source(i)))
	}
	return y
}

// mixSlerp: the two factors are solved on the host.
func mixSlerp(x *Operands) *Node {
	return Add(Mul(x.Global(0), x.Base()), Mul(x.Global(1), x.Source(0)))
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

func maskBand(x *Operands, i, f int) *Node {
	m := x.Magnitude(i)
	below := func(field int) *Node {
		at := x.F(i, f+field)
		return LogicalOr(LessThan(m, at), LogicalAnd(Equal(m, at), LessOrEqual(x.Index(), x.U(i, field))))
	}
	return LogicalAnd(below(1), LogicalNot(below(0)))
}

func maskRandom(x *Operands, i, _ int) *Node {
	mix := func(h *Node) *Node {
		g := h.Graph()
		shift := func(n uint32) *Node { return BitwiseShiftRightLogical(h, Const(g, n)) }
		h = BitwiseXor(h, shift(16))
		h = Mul(h, Const(g, uint32(mix1)))
		h = BitwiseXor(h, shift(15))
		h = Mul(h, Const(g, uint32(mix2)))
		return BitwiseXor(h, shift(16))
	}
	hash := mix(Add(mix(BitwiseXor(x.Index(), x.U(i, 0))), x.U(i, 1)))
	return LessOrEqual(hash, x.U(i, 2))
}

// kept returns field 0 times the task vector where the mask keeps it, else 0. The
// select stands between the product and any sum, so that no backend fuses the
// two and elections see the same rounded products everywhere.
func kept(x *Operands, keep mask, i, f int) *Node {
	d := Mul(x.F(i, 0), x.Delta(i))
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

// mixElect is the sign election of TIES: b + lambda sum_{agree} D_i / sum_{agree} v_i.
func mixElect(keep mask) func(*Operands) *Node {
	return func(x *Operands) *Node {
		votes := make([]*Node, x.Len())
		for i := range votes {
			votes[i] = kept(x, keep, i, 2)
		}
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
}
