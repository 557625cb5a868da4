package merge

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // mathematics reads as mathematics
)

var _ = row(Method{
	Name: "sce", Doc: "Select the entries in which the models differ most, weigh each model by its task vector's energy there, elect signs, average those that agree.",
	Math: "keep the int(select_topk #(var > 0)) entries of largest variance over the d_i; w_i = mean d_i^2 / sum_j mean d_j^2; g = sign(sum d_i); y = b + sum_{agree} w_i d_i / sum_{agree} w_i",
	Cite: "Wan et al. 2024, FuseChat, arXiv:2408.07990",
	Base: BaseRequired, MinSources: 1,
	Params: []Param{{Name: "select_topk", Default: 1, Min: 0, Max: 1, Low: 0.05, High: 1, Start: 0.5, Grid: 1.0 / densityGrid, Doc: "share of the entries that vary which is kept"}},
	Inert:  []string{"int8_mask", "weight", "density"},
	Spread: variance, SourceF: 1, SourceU: 1, GlobalF: 1,
	Coef: coefSCE, Mix: mixSCE,
})

// variance prepares the population variance of the task vectors at each entry.
func variance(p *Profile, off int, dst []float32) error {
	d := make([][]float32, len(p.source))
	scratch := make([]float32, min(blockLen, len(dst)))
	for i := range d {
		d[i] = make([]float32, len(scratch))
	}
	for at := 0; at < len(dst); at += len(scratch) {
		n := min(len(scratch), len(dst)-at)
		for i := range d {
			if err := p.delta(i, off+at, d[i][:n], scratch); err != nil {
				return err
			}
		}
		for e := range n {
			var mean, v float64
			for i := range d {
				mean += float64(d[i][e])
			}
			mean /= float64(len(d))
			for i := range d {
				v += (float64(d[i][e]) - mean) * (float64(d[i][e]) - mean)
			}
			dst[at+e] = floored(float32(v / float64(len(d))))
		}
	}
	return nil
}

// energy is what SCE measures where the models vary most.
type energy struct {
	cut    Cut
	square []float64 // sum d^2 of each source above the cut
}

func coefSCE(p *Profile, global Values, source []Values, out Coefs) error {
	top := global.Get("select_topk")
	e, err := once(p, fmt.Sprint("energy ", top), func() (energy, error) { return p.energy(top) })
	if err != nil {
		return err
	}
	var total float64
	for _, s := range e.square {
		total += s / float64(p.n)
	}
	out.SetGlobal(0, float64(e.cut.Mag))
	for i := range source {
		w := e.square[i] / float64(p.n) / total
		if total < 1e-6 {
			w = 1 / float64(len(source))
		}
		out.SetF(i, 0, w)
		out.SetU(i, 0, e.cut.Last)
	}
	return nil
}

// energy cuts the entries by variance and sums d^2 above the cut.
func (p *Profile) energy(top float64) (energy, error) {
	spread := make([]float32, blockLen)
	each := func(visit func(int, []float32)) error {
		for off := 0; off < p.n; off += blockLen {
			v := spread[:min(blockLen, p.n-off)]
			if err := variance(p, off, v); err != nil {
				return err
			}
			visit(off, v)
		}
		return nil
	}
	e := energy{cut: cutAll, square: make([]float64, len(p.source))}
	if top < 1 {
		varying, finite := 0, true
		if err := each(func(_ int, v []float32) {
			for _, x := range v {
				if x != 0 {
					varying++
				}
				finite = finite && x <= math.MaxFloat32
			}
		}); err != nil {
			return e, err
		}
		if !finite {
			return e, fmt.Errorf("%s: the models' variance is not finite: an input holds NaN or Inf, or differs too much", p.tensor)
		}
		switch count := int(float64(varying) * top); {
		case count == 0:
			e.cut = cutTopEmpty
		case count < p.n:
			r := rank{true, count}
			found, err := selectCuts(p.n, []rank{r}, each)
			if err != nil {
				return e, err
			}
			e.cut = found[r]
		}
	}
	d, scratch := make([]float32, blockLen), make([]float32, blockLen)
	for off := 0; off < p.n; off += blockLen {
		n := min(blockLen, p.n-off)
		if top < 1 {
			if err := variance(p, off, spread[:n]); err != nil {
				return e, err
			}
		}
		for i := range p.source {
			if err := p.delta(i, off, d[:n], scratch); err != nil {
				return e, err
			}
			var s float64
			for j, x := range d[:n] {
				if top >= 1 || e.cut.Top(spread[j], uint32(off+j)) {
					s += float64(x) * float64(x)
				}
			}
			e.square[i] += s
		}
	}
	return e, nil
}

func mixSCE(x *Operands) *Node {
	v, at := x.Spread(), x.Global(0)
	selected := LogicalOr(GreaterThan(v, at), LogicalAnd(Equal(v, at), LessOrEqual(x.Index(), x.U(0, 0))))
	d := make([]*Node, x.Len())
	var total *Node
	for i := range d {
		delta := x.Delta(i)
		keep := BroadcastToDims(selected, x.f.Shape().Dim(0), delta.Shape().Dim(1))
		delta = BroadcastToShape(delta, withDType(keep, delta.DType()))
		d[i] = Where(keep, delta, ZerosLike(delta))
		if total == nil {
			total = d[i]
		} else {
			total = Add(total, d[i])
		}
	}
	zero := ZerosLike(total)
	up := GreaterOrEqual(total, zero)
	var sum, div *Node
	for i, v := range d {
		agrees := Where(up, GreaterThan(v, zero), LessThan(v, zero))
		w := Where(agrees, BroadcastToShape(x.F(i, 0), zero.Shape()), zero)
		s := Where(agrees, Mul(x.F(i, 0), v), zero)
		if i == 0 {
			sum, div = s, w
		} else {
			sum, div = Add(sum, s), Add(div, w)
		}
	}
	return Add(x.Base(), Div(sum, MaxScalar(div, float32(1e-6))))
}
