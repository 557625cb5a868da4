package merge

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // mathematics reads as mathematics
)

// DELLA: a random drop whose odds follow the rank of an entry in its row.

var _ = row(Method{
	Name: "della_linear", Doc: "Drop entries of each task vector at random, the small ones of a row more often; rescale the rest, add them to the base.",
	Math: "r = rank of |d_i| in its row, 0 to 1; p = density - epsilon + 2 epsilon r; s_i = d_i kept with probability p, times sum|d_i| / sum|kept d_i| if rescale (or 1/p); y = b + lambda sum_i w_i s_i",
	Cite: "Deep et al. 2024, DELLA-Merging, arXiv:2406.11617; the L1 rescale is mergekit's",
	Base: BaseRequired, MinSources: 1,
	Params:    []Param{required(weight), ranked(density), epsilon, lambda, normalize(false, weights), rescale(true), rescaleBy},
	Deviation: ownNoise + " Of equal magnitudes the first has the lower rank.",
	Inert:     []string{"int8_mask"},
	Rows:      byRank, RowF: 1, RowU: 1, RankAxis: secondAxis,
	SourceF: 1, SourceU: 2, Coef: coefSum(keepRanked), Mix: mixSum(maskRanked),
})

var _ = row(Method{
	Name: "della", Doc: "DELLA's random drop by rank, then the sign election of TIES.",
	Math: "s_i as della_linear, then the election of ties without a second trim",
	Cite: "Deep et al. 2024, DELLA-Merging, arXiv:2406.11617; Yadav et al. 2023, TIES-Merging",
	Base: BaseRequired, MinSources: 1,
	Params:    []Param{required(weight), ranked(density), epsilon, lambda, normalize(true, agreeing), rescale(true), rescaleBy},
	Deviation: ownNoise + " Of equal magnitudes the first has the lower rank.", Elects: true,
	Inert: []string{"int8_mask"},
	Rows:  byRank, RowF: 1, RowU: 1, RankAxis: secondAxis,
	SourceF: 2, SourceU: 2, GlobalF: 2, Coef: coefElect(keepRanked), Mix: mixElect(maskRanked),
})

var epsilon = Param{Name: "epsilon", PerSource: true, Default: 0.15, Min: 0, Max: 0.5, Low: 0, High: 0.2, Start: 0.1, Doc: "half the difference between the odds of a row's largest and smallest entry; density ± epsilon must lie between 0 and 1"}

// ranked bounds a search's densities so that with any epsilon of its bounds the odds are
// odds.
func ranked(p Param) Param {
	p.Low, p.High = 0.25, 0.75
	return p
}

// byRank gives each rank in a row a coefficient: the odds of its entries.
func byRank(_ Values, shape []int) Rows {
	n, _ := along(shape, secondAxis(shape))
	return Rows{Count: n, Div: 1, Mod: n}
}

// secondAxis is the axis along which DELLA ranks, as mergekit has it; a tensor of one
// dimension is one row.
func secondAxis(shape []int) int { return min(1, max(0, len(shape)-1)) }

// odds returns the probability with which the entries of each rank are kept.
func odds(v Values, ranks int) ([]float64, error) {
	d, e := v.Get("density"), v.Get("epsilon")
	p := make([]float64, ranks)
	if d < 1 && (d-e <= 0 || d+e >= 1) {
		return nil, fmt.Errorf("density %g ± epsilon %g leaves the odds' range between 0 and 1: make epsilon smaller than %g", d, e, math.Min(d, 1-d))
	}
	for r := range p {
		at := 0.5 // a row of one has no order
		if ranks > 1 {
			at = float64(r) / float64(ranks-1)
		}
		if p[r] = d - e + 2*e*at; d >= 1 {
			p[r] = 1
		}
	}
	return p, nil
}

// keepRanked keeps an entry iff its noise is below floor(p 2^32), p the odds of its
// rank.
func keepRanked(p *Profile, source int, global, v Values, _ int, out Coefs) (float64, error) {
	prob, err := odds(v, out.Rows().Count)
	if err != nil {
		return 0, err
	}
	k := p.noise(source)
	out.SetU(source, 0, k[0])
	out.SetU(source, 1, k[1])
	byOdds := global.Is("rescale") && global.Word("rescale_by") == "density"
	for r, x := range prob {
		out.SetRowU(r, source, 0, noiseLimit(x))
		f := 1.0
		if byOdds {
			f = 1 / x
		}
		out.SetRowF(r, source, 0, f)
	}
	if !global.Is("rescale") || byOdds || v.Get("density") >= 1 {
		return 1, nil
	}
	return p.rescaleRanked(source, prob, fmt.Sprint(v.Get("density"), " ", v.Get("epsilon")))
}

func maskRanked(x *Operands, i, _ int) *Node {
	return LessOrEqual(hash(x, i), x.RowU(x.Ranks(i), i, 0))
}

// rescaleRanked returns sum|d| / sum|kept d| over the tensor.
func (p *Profile) rescaleRanked(source int, prob []float64, key string) (float64, error) {
	return once(p, fmt.Sprint("ranked ", source, " ", key), func() (float64, error) {
		limit := make([]uint32, len(prob))
		for r, x := range prob {
			limit[r] = noiseLimit(x)
		}
		noise := p.noise(source)
		var all, kept float64
		err := p.ranked().each(source, 0, p.n, func(off int, mag []float32, rank []uint32) {
			var a, k float64
			for i, m := range mag {
				a += float64(m)
				if noiseAt(noise, uint32(off+i)) <= limit[rank[i]] {
					k += float64(m)
				}
			}
			all += a
			kept += k
		})
		return ratioL1(all, kept), err
	})
}
