package merge

import (
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // mathematics reads as mathematics
)

// Breadcrumbs: the middle of each task vector by magnitude, of tensors or of rows.

var _ = row(Method{
	Name: "breadcrumbs", Doc: "Drop the largest and the smallest entries of each task vector, add the rest to the base.",
	Math: "ranks of |d_i| in the tensor or row, ascending: keep [nb, nb+tn), tn = int(density n), nt = int(gamma n), nb = max(0, n-tn-nt); y = b + lambda sum_i w_i s_i",
	Cite: "Davari & Belilovsky 2023, Model Breadcrumbs, arXiv:2312.06795",
	Base: BaseRequired, MinSources: 1,
	Params: []Param{required(weight), crumbs, dropTop, lambda, normalize(false, weights), rescale(false), scope},
	Inert:  []string{"int8_mask"},
	Rows:   scoped, RankAxis: lastAxisOf,
	SourceF: 3, SourceU: 2, Coef: coefSum(keepBand), Mix: mixSum(maskBand),
})

var _ = row(Method{
	Name: "breadcrumbs_ties", Doc: "The band of breadcrumbs, then the sign election of TIES.",
	Math: "s_i as breadcrumbs, then the election of ties without a second trim",
	Cite: "Davari & Belilovsky 2023, Model Breadcrumbs; Yadav et al. 2023, TIES-Merging",
	Base: BaseRequired, MinSources: 1,
	Params: []Param{required(weight), crumbs, dropTop, lambda, normalize(false, agreeing), rescale(false), scope},
	Elects: true,
	Inert:  []string{"int8_mask"},
	Rows:   scoped, RankAxis: lastAxisOf,
	SourceF: 4, SourceU: 2, GlobalF: 2, Coef: coefElect(keepBand), Mix: mixElect(maskBand),
})

var (
	crumbs = func() Param {
		p := density
		p.Aliases = []string{"keep"}
		return p
	}()
	dropTop = Param{Name: "gamma", Aliases: []string{"drop_top"}, PerSource: true, Default: 0.01, Min: 0, Max: 1, Low: 0, High: 0.1, Start: 0.01, Grid: 1.0 / densityGrid,
		Doc: "share of the largest entries dropped"}
	scope = structural(Param{Name: "scope", Choices: []string{"tensor", "row"}, Doc: "what the shares are of: the tensor (mergekit), or each vector along the last axis (the authors' code)"})
)

// scoped asks for ranks where the shares are of rows: the tensor is one row of
// coefficients then, which holds none.
func scoped(global Values, shape []int) Rows {
	if global.Word("scope") == "row" {
		return Rows{Count: 1, Div: max(1, size(shape)), Mod: 1}
	}
	return Rows{}
}

func lastAxisOf(shape []int) int { return max(0, len(shape)-1) }

// band returns the first and the end of the ranks that are kept of n; a density of
// 1 or more keeps all, whatever gamma says.
func band(v Values, n int) (lo, hi int) {
	d := v.Get("density")
	if d >= 1 {
		return 0, n
	}
	kept, top := int(d*float64(n)), int(v.Get("gamma")*float64(n))
	lo = max(0, n-kept-top)
	return lo, min(n, lo+kept)
}

// keepBand keeps the ranks [nb, nb+tn) of |d| in ascending order: those between two
// cuts of the tensor, or between two ranks of each row.
func keepBand(p *Profile, source int, global, v Values, f int, out Coefs) (float64, error) {
	if out.Rows().Count > 0 {
		return keepRowBand(p, source, global, v, out)
	}
	lo, hi := band(v, p.Len())
	cuts, err := p.Band(source, lo, hi)
	if err != nil {
		return 0, err
	}
	low, high := cuts[0], cuts[1]
	out.SetF(source, f, float64(low.Mag))
	out.SetU(source, 0, low.Last)
	out.SetF(source, f+1, float64(high.Mag))
	out.SetU(source, 1, high.Last)
	if !global.Is("rescale") {
		return 1, nil
	}
	return p.rescaleBand(source, low, high)
}

func keepRowBand(p *Profile, source int, global, v Values, out Coefs) (float64, error) {
	length, _ := along(p.shape, lastAxisOf(p.shape))
	lo, hi := band(v, length)
	out.SetU(source, 0, uint32(lo))
	out.SetU(source, 1, uint32(hi))
	if !global.Is("rescale") {
		return 1, nil
	}
	mass, err := p.rankMass(source)
	if err != nil {
		return 0, err
	}
	var all, kept float64
	for rank, m := range mass {
		all += m
		if rank >= lo && rank < hi {
			kept += m
		}
	}
	return ratioL1(all, kept), nil
}

func maskBand(x *Operands, i, f int) *Node {
	if r := x.Ranks(i); r != nil {
		return LogicalAnd(GreaterOrEqual(r, x.U(i, 0)), LessThan(r, x.U(i, 1)))
	}
	m := x.Magnitude(i)
	below := func(field int) *Node {
		at := x.F(i, f+field)
		return LogicalOr(LessThan(m, at), LogicalAnd(Equal(m, at), LessOrEqual(x.Index(), x.U(i, field))))
	}
	return LogicalAnd(below(1), LogicalNot(below(0)))
}
