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
	Rows:   scoped, RowF: 2, RowU: 2,
	SourceF: 3, SourceU: 2, Coef: coefSum(keepBand), Mix: mixSum(maskBand),
})

var _ = row(Method{
	Name: "breadcrumbs_ties", Doc: "The band of breadcrumbs, then the sign election of TIES.",
	Math: "s_i as breadcrumbs, then the election of ties without a second trim",
	Cite: "Davari & Belilovsky 2023, Model Breadcrumbs; Yadav et al. 2023, TIES-Merging",
	Base: BaseRequired, MinSources: 1,
	Params:    []Param{required(weight), crumbs, dropTop, lambda, normalize(false, agreeing), rescale(false), scope},
	Deviation: signed,
	Inert:     []string{"int8_mask"},
	Rows:      scoped, RowF: 2, RowU: 2,
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

func scoped(global Values, shape []int) Rows {
	if global.Word("scope") == "row" {
		return lastAxis(shape)
	}
	return Rows{}
}

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

// keepBand keeps the ranks [nb, nb+tn) of |d| in ascending order.
func keepBand(p *Profile, source int, global, v Values, f int, out Coefs) (float64, error) {
	if rows := out.Rows(); rows.Count > 0 {
		return keepRowBands(p, source, global, v, rows, out)
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

// keepRowBands is keepBand of each row.
func keepRowBands(p *Profile, source int, global, v Values, rows Rows, out Coefs) (float64, error) {
	lo, hi := band(v, rows.Div)
	var all, kept float64
	bands, err := p.rowBands(source, rows, lo, hi)
	if err != nil {
		return 0, err
	}
	for r, b := range bands.cuts {
		for k, c := range b {
			out.SetRowF(r, source, k, float64(c.Mag))
			out.SetRowU(r, source, k, c.Last)
		}
		all += bands.all[r]
		kept += bands.kept[r]
	}
	if !global.Is("rescale") {
		return 1, nil
	}
	return ratioL1(all, kept), nil
}

func maskBand(x *Operands, i, f int) *Node {
	m := x.Magnitude(i)
	mag := func(field int) *Node { return x.F(i, f+field) }
	last := func(field int) *Node { return x.U(i, field) }
	if x.HasRows() {
		at := x.Row()
		mag = func(field int) *Node { return x.RowF(at, i, field) }
		last = func(field int) *Node { return x.RowU(at, i, field) }
	}
	below := func(field int) *Node {
		at := mag(field)
		return LogicalOr(LessThan(m, at), LogicalAnd(Equal(m, at), LessOrEqual(x.Index(), last(field))))
	}
	return LogicalAnd(below(1), LogicalNot(below(0)))
}
