package merge

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // mathematics reads as mathematics
)

// RAM: entries that one model alone changed are taken whole, shared ones averaged.

var _ = row(Method{
	Name: "ram", Doc: "Add what one model alone changed, and the mean of what several changed.",
	Math: "a_i = [|d_i| > epsilon], n = sum a_i; y = b + sum_i a_i d_i / n",
	Cite: "RAM, reinforced agent merging; mergekit 0.1.5",
	Base: BaseRequired, MinSources: 1,
	Params:  []Param{changeFrom},
	Inert:   []string{"weight", "int8_mask"},
	SourceF: 1, GlobalF: 1,
	Coef: func(_ *Profile, global Values, source []Values, out Coefs) error {
		out.SetGlobal(0, global.Get("epsilon"))
		for i := range source {
			out.SetF(i, 0, 1)
		}
		return nil
	},
	Mix: mixRAM,
})

var _ = row(Method{
	Name: "ramplus_tl", Doc: "RAM with what a model alone changed scaled up by how much of its change others share.",
	Math: "as ram, what is model i's alone times 1 + r clip(shared_i / max(alone_i, epsilon), 0, alpha), counts of entries in the tensor",
	Cite: "RAM+ (tensor-local), reinforced agent merging; mergekit 0.1.5",
	Base: BaseRequired, MinSources: 1,
	Params: []Param{changeFrom,
		{Name: "r", Default: 0.1, Min: 0, Max: 1e6, Low: 0, High: 1, Start: 0.1, Doc: "how much the scale follows the shared part"},
		{Name: "alpha", Default: 0.2, Min: 0, Max: 1e6, Low: 0, High: 1, Start: 0.2, Doc: "most of the ratio that counts"}},
	Inert:   []string{"weight", "int8_mask"},
	SourceF: 1, GlobalF: 1,
	Coef: func(p *Profile, global Values, source []Values, out Coefs) error {
		eps := global.Get("epsilon")
		out.SetGlobal(0, eps)
		n, err := once(p, fmt.Sprint("changes ", eps), func() (changes, error) { return p.changes(float32(eps)) })
		if err != nil {
			return err
		}
		for i := range source {
			ratio := float64(n.shared[i]) / max(float64(n.alone[i]), eps)
			if n.shared[i] == 0 {
				ratio = 0 // epsilon 0 and nothing alone
			}
			out.SetF(i, 0, 1+global.Get("r")*clip(ratio, 0, global.Get("alpha")))
		}
		return nil
	},
	Mix: mixRAM,
})

var changeFrom = Param{Name: "epsilon", Default: 1e-5, Min: 0, Max: 1e6, Low: 1e-6, High: 1e-3, Start: 1e-5, Doc: "magnitude above which an entry counts as changed"}

// changes counts, for each source, the entries it changed together with others and
// alone.
type changes struct{ shared, alone []int }

func (p *Profile) changes(eps float32) (changes, error) {
	k := len(p.source)
	c := changes{make([]int, k), make([]int, k)}
	mag := make([][]float32, k)
	for i := range mag {
		mag[i] = make([]float32, blockLen)
	}
	scratch := make([]float32, blockLen)
	for off := 0; off < p.n; off += blockLen {
		n := min(blockLen, p.n-off)
		for i := range mag {
			if err := p.magnitudeAt(i, off, mag[i][:n], scratch); err != nil {
				return c, err
			}
		}
		for e := range n {
			count := 0
			for i := range mag {
				if mag[i][e] > eps {
					count++
				}
			}
			for i := range mag {
				switch {
				case mag[i][e] <= eps:
				case count > 1:
					c.shared[i]++
				default:
					c.alone[i]++
				}
			}
		}
	}
	return c, nil
}

func mixRAM(x *Operands) *Node {
	eps := x.Global(0)
	var count *Node
	changed := make([]*Node, x.Len())
	for i := range changed {
		m := x.Magnitude(i)
		c := GreaterThan(m, eps)
		one := ConvertDType(c, m.DType())
		changed[i] = c
		if count == nil {
			count = one
		} else {
			count = Add(count, one)
		}
	}
	one, zero := OnesLike(count), ZerosLike(count)
	alone := Equal(count, one)
	var y *Node
	for i, c := range changed {
		d := BroadcastToShape(x.Delta(i), count.Shape())
		scaled := Where(alone, Mul(x.F(i, 0), d), Div(d, Max(count, one)))
		s := Where(c, scaled, zero)
		if y == nil {
			y = s
		} else {
			y = Add(y, s)
		}
	}
	return Add(x.Base(), y)
}
