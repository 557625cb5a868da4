package niches

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // mathematics reads as mathematics

	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/merge/niche"
)

// row is the row of a matrix [P, n] that a scalar says, [n].
func row(x, i *Node) *Node {
	n := x.Shape().Dim(1)
	return Reshape(DynamicSlice(x, []*Node{i, ScalarZero(x.Graph(), dtypes.Int32)}, []int{1, n}), n)
}

// put replaces that row.
func put(x, i, v *Node) *Node {
	return DynamicUpdateSlice(x, Reshape(v, 1, -1), []*Node{i, ScalarZero(x.Graph(), dtypes.Int32)})
}

// What the while loop carries: its state, what was drawn, and behind that the data. The
// XLA backend's closures see nothing of the graph around them.
const (
	atStep = iota
	atNetworks
	atRight
	atIDs
	atParents
	atSlots
	atMarks
	atTies
	atMates
	atRatios
	atPlaces
	atKeys
	atFirst
	atCount
	carried
)

// steps is the graph of a call: networks, marks and IDs of the archive, then parents
// [Steps, 2], slots [Steps, 1], marks uint8 [Steps, Examples] and ties [Steps, 1] of the
// children.
func (l *Loop) steps(args []*Node) []*Node {
	g := args[0].Graph()
	k := l.options.Steps
	// gomlx keeps scalars such as ScalarZero for a whole graph, and a closure cannot read
	// what another has made: out here there are none but these.
	none, unmarked, untied := Const(g, int32(0)), Const(g, uint8(0)), Const(g, float32(0))
	initial := append([]*Node{
		none, args[0], args[1], args[2],
		BroadcastToDims(none, k, 2), BroadcastToDims(none, k, 1), BroadcastToDims(unmarked, k, l.data.Examples),
		BroadcastToDims(untied, k, 1),
	}, args[3:]...)
	parameters := func(g *Graph) []*Node {
		p := make([]*Node, len(initial))
		for i, x := range initial {
			p[i] = Parameter(g, fmt.Sprint("carried", i), x.Shape())
		}
		return p
	}
	cond := NewClosure(g, func(g *Graph) []*Node {
		p := parameters(g)
		return []*Node{LessThan(p[atStep], p[atCount])}
	})
	body := NewClosure(g, func(g *Graph) []*Node { return l.step(parameters(g)) })
	return While(cond, body, initial...)[atNetworks:atMates]
}

// step breeds and scores the children of a flight, and lets them in one by one.
func (l *Loop) step(s []*Node) []*Node {
	g := s[0].Graph()
	flight := l.options.Flight
	p := l.options.Archive
	open := l.open(s[atRight])
	ids := Reshape(s[atIDs], p, 1)
	var steps, parents, children []*Node
	for w := range flight {
		step := AddScalar(s[atStep], w)
		a, b := l.couple(open, s[atRight], row(s[atMates], step))
		child := l.cross(row(s[atNetworks], a), row(s[atNetworks], b), row(s[atRatios], step), row(s[atPlaces], step))
		if l.options.Sigma > 0 {
			child = Add(child, MulScalar(normal(l.n, row(s[atKeys], step)), l.options.Sigma))
		}
		steps, children = append(steps, step), append(children, child)
		parents = append(parents, Concatenate([]*Node{row(ids, a), row(ids, b)}, 0))
	}
	all, ties := l.data.Score(Stack(children, 0), s[carried:])
	out := slices.Clone(s)
	for w, child := range children {
		marks := Reshape(Slice(all, AxisElem(w)), l.data.Examples)
		tie := Slice(ties, AxisElem(w))
		failed := Reshape(ConvertDType(NotEqual(tie, tie), dtypes.Int32))
		slot := l.place(out[atRight], out[atIDs], marks)
		slot = Add(Max(slot, MulScalar(failed, p)), failed) // past the one of the least fit
		within := LessThan(slot, Const(g, int32(p)))
		at := Min(slot, Const(g, int32(p-1)))
		enter := func(x, v *Node) *Node {
			return put(x, at, Where(BroadcastToDims(within, v.Shape().Dim(0)), v, row(x, at)))
		}
		own := Reshape(Add(s[atFirst], steps[w]), 1)
		out[atNetworks], out[atRight] = enter(out[atNetworks], child), enter(out[atRight], marks)
		out[atIDs] = Reshape(enter(Reshape(out[atIDs], p, 1), own), p)
		out[atParents], out[atSlots] = put(out[atParents], steps[w], parents[w]), put(out[atSlots], steps[w], Reshape(slot, 1))
		out[atMarks] = put(out[atMarks], steps[w], ConvertDType(marks, dtypes.Uint8))
		out[atTies] = put(out[atTies], steps[w], tie)
	}
	out[atStep] = AddScalar(s[atStep], flight)
	return out
}

// market is the type of what is shared out. Marks are 0 and 1, so that counts are exact;
// in float64 steps were a fifth dearer, and the same on the trace that tests replay.
const market = dtypes.Float32

// prices are what each example pays a member that knows it, [Examples], of how
// many know it.
func (l *Loop) prices(known *Node) *Node {
	pay := OnesLike(known)
	switch a := l.options.Alpha; a {
	case 0:
	case 1:
		pay = Reciprocal(MaxScalar(known, 1))
	default:
		pay = Pow(MaxScalar(known, 1), Scalar(known.Graph(), market, -a))
	}
	return Where(GreaterThan(known, ZerosLike(known)), pay, ZerosLike(known))
}

// shares are what the members of an archive are paid, in all and by each example.
type shares struct{ fitness, paid *Node }

// open opens the market of an archive's marks.
func (l *Loop) open(marks *Node) shares {
	know := ConvertDType(marks, market)
	prices := l.prices(ReduceSum(know, 0))
	paid := Mul(know, BroadcastToShape(InsertAxes(prices, 0), know.Shape()))
	return shares{ReduceSum(paid, 1), paid}
}

// couple draws the slots of two parents by two numbers of [0, 1).
func (l *Loop) couple(m shares, marks, mates *Node) (a, b *Node) {
	know, paid, fitness := ConvertDType(marks, market), m.paid, m.fitness
	u, v := Reshape(Slice(mates, AxisElem(0))), Reshape(Slice(mates, AxisElem(1)))
	a = pick(fitness, u)
	if !l.options.Attraction {
		return a, pick(fitness, v)
	}
	lacks := OneMinus(row(know, a))
	drawn := ReduceSum(Mul(paid, BroadcastToShape(InsertAxes(lacks, 0), paid.Shape())), 1)
	// Who takes the most of every example mates by fitness, with another.
	slots := Iota(marks.Graph(), shapes.Make(dtypes.Int32, l.options.Archive), 0)
	others := Where(Equal(slots, BroadcastToDims(a, l.options.Archive)), ZerosLike(fitness), fitness)
	none := LessOrEqual(ReduceAllSum(drawn), ScalarZero(marks.Graph(), market))
	return a, pick(Where(BroadcastToDims(none, l.options.Archive), others, drawn), v)
}

// pick is where u of [0, 1) falls among weights, a scalar.
func pick(weights, u *Node) *Node {
	sums := CumSum(weights, 0)
	target := Mul(ConvertDType(u, market), ReduceAllSum(weights))
	below := ConvertDType(LessOrEqual(sums, BroadcastToShape(target, sums.Shape())), dtypes.Int32)
	return Min(ReduceAllSum(below), Const(weights.Graph(), int32(weights.Shape().Dim(0)-1)))
}

// place is the slot of the least fit when a network with marks comes in, scalar: the
// first that is empty, the first among equals, Archive if it is the newcomer.
func (l *Loop) place(marks, ids, child *Node) *Node {
	know, own := ConvertDType(marks, market), ConvertDType(child, market)
	prices := l.prices(Add(ReduceSum(know, 0), own))
	fitness := ReduceSum(Mul(know, BroadcastToShape(InsertAxes(prices, 0), know.Shape())), 1)
	empty := Equal(ids, ZerosLike(ids))
	fitness = Where(empty, BroadcastToShape(Scalar(ids.Graph(), market, -1), fitness.Shape()), fitness)
	fitness = Concatenate([]*Node{fitness, Reshape(ReduceAllSum(Mul(own, prices)), 1)}, 0)
	return Reshape(ArgMin(fitness, 0, dtypes.Int32))
}

// cross mixes two networks, [n].
func (l *Loop) cross(x, y, ratios, places *Node) *Node {
	c := l.options.Crossing
	g := x.Graph()
	var out []*Node
	from := 0
	for i, stop := range c.Chromosomes {
		end := int(stop)
		n := end - from
		px, py := Slice(x, AxisRange(from, end)), Slice(y, AxisRange(from, end))
		place := Iota(g, shapes.Make(dtypes.Int32, n), 0)
		before := LessThan(AddScalar(place, from), BroadcastToDims(Reshape(Slice(places, AxisElem(i))), n))
		ratio := Reshape(Slice(ratios, AxisElem(i)))
		side := func(t *Node, mask *Node) (sx, sy *Node) {
			if c.Straight {
				return OneMinus(t), t
			}
			return arc(px, py, mask, t)
		}
		var mask, rest *Node
		if c.Apart && !c.Straight {
			mask = ConvertDType(before, dtypes.Float32)
			rest = OneMinus(mask)
		}
		bx, by := side(ratio, mask)
		ax, ay := side(OneMinus(ratio), rest)
		wide := func(v *Node) *Node { return BroadcastToDims(v, n) }
		sx, sy := Where(before, wide(bx), wide(ax)), Where(before, wide(by), wide(ay))
		out = append(out, Add(Mul(sx, px), Mul(sy, py)))
		from = end
	}
	if len(out) == 1 {
		return out[0]
	}
	return Concatenate(out, 0)
}

// arc is what shares the ends of the arc between x and y have at t of it, scalars. A mask
// of 0 and 1 says where to look; nil: everywhere.
func arc(x, y, mask, t *Node) (sx, sy *Node) {
	// In float64, in which products of float32 are exact: opposite parents have to be.
	wide := func(v *Node) *Node { return ConvertDType(v, dtypes.Float64) }
	product := func(a, b *Node) *Node {
		p := Mul(wide(a), wide(b))
		if mask != nil {
			p = Mul(p, wide(mask))
		}
		return ReduceAllSum(p)
	}
	cos := Div(product(x, y), Sqrt(Mul(product(x, x), product(y, y))))
	cos = MaxScalar(MinScalar(cos, 1), -1)
	omega := Atan2(Sqrt(OneMinus(Square(cos))), cos)
	sin := Sin(omega)
	w := wide(t)
	bent := GreaterThan(sin, Const(x.Graph(), niche.LeastSine)) // false where a network is 0
	sx = Where(bent, Div(Sin(Mul(OneMinus(w), omega)), sin), OneMinus(w))
	sy = Where(bent, Div(Sin(Mul(w, omega)), sin), w)
	return ConvertDType(sx, dtypes.Float32), ConvertDType(sy, dtypes.Float32)
}

// normal is n numbers of the standard normal distribution, float32, which a key of two
// words says: hashes of (key, index), by Box and Muller.
func normal(n int, key *Node) *Node {
	half := (n + 1) / 2
	g := key.Graph()
	index := Iota(g, shapes.Make(dtypes.Uint32, half), 0)
	word := func(i int) *Node {
		k := BroadcastToDims(Reshape(Slice(key, AxisElem(i))), half)
		return merge.Mix32(Add(merge.Mix32(BitwiseXor(index, k)), k))
	}
	// (h + 1/2) / 2^32 lies in (0, 1), and in (0, 1] as float32.
	uniform := func(h *Node) *Node {
		return MulScalar(AddScalar(ConvertDType(BitwiseShiftRightLogicalScalar(h, uint32(8)), dtypes.Float32), 0.5), 1.0/(1<<24))
	}
	radius := Sqrt(MulScalar(Log(uniform(word(0))), -2))
	angle := MulScalar(AddScalar(uniform(word(1)), -0.5), 2*math.Pi)
	both := Concatenate([]*Node{Mul(radius, series(angle, 0)), Mul(radius, Mul(angle, series(angle, 1)))}, 0)
	return Slice(both, AxisRange(0, n))
}

// series is cos x, or of odd 1 sin x / x, for x of [-π, π], to 1e-6: XLA calls a library for
// each sine on a CPU, which took an eighth of an evaluation.
func series(x *Node, odd int) *Node {
	const terms = 10
	square := Square(x)
	coefficient := func(k int) float64 { // (-1)^k / (2k+odd)!
		c := 1.
		for i := 2; i <= 2*k+odd; i++ {
			c /= float64(i)
		}
		return c * float64(1-2*(k%2))
	}
	sum := MulScalar(square, coefficient(terms-1))
	for k := terms - 2; k > 0; k-- {
		sum = Mul(AddScalar(sum, coefficient(k)), square)
	}
	return AddScalar(sum, coefficient(0))
}
