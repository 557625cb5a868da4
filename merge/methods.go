package merge

import (
	"fmt"
	"math"
	"sync"
)

// Methods returns the table of merge methods, in the order help shows them.
var Methods = sync.OnceValue(func() []*Method {
	return []*Method{
		{
			Name: "linear", Doc: "Weighted average of the models.",
			Math:       "y = sum_i w_i x_i, divided by sum_i w_i if normalize",
			Cite:       "Wortsman et al. 2022, Model soups, arXiv:2203.05482",
			Base:       BaseUnused,
			MinSources: 1,
			Params:     []Param{required(weight), flag("normalize", true, "divide by the sum of the weights")},
			SourceF:    1, Coef: coefLinear, Mix: mixLinear,
		},
		{
			Name: "slerp", Doc: "Spherical interpolation between the base and one model.",
			Math: "y = [sin((1-t)a) b + sin(t a) x] / sin a, a the angle of b and x, whole tensor; linear when |cos a| > 0.9995",
			Cite: "Shoemake 1985, Animating rotation with quaternion curves; mergekit 0.1.5",
			Base: BaseRequired, MinSources: 1, MaxSources: 1,
			Params:  []Param{{Name: "t", Required: true, Min: math.Inf(-1), Max: math.Inf(1), Low: 0, High: 1, Start: 0.5, Doc: "0 gives the base, 1 the other model"}},
			GlobalF: 2, Coef: coefSlerp, Mix: mixSlerp,
		},
		{
			Name: "task_arithmetic", Doc: "The base plus a weighted sum of the task vectors.",
			Math: "y = b + lambda sum_i w_i d_i, the sum divided by sum_i w_i if normalize",
			Cite: "Ilharco et al. 2023, Editing models with task arithmetic, arXiv:2212.04089",
			Base: BaseRequired, MinSources: 1,
			Params:  []Param{required(weight), lambda, flag("normalize", false, "divide by the sum of the weights")},
			Inert:   []string{"density", "rescale", "int8_mask"},
			SourceF: 1, Coef: coefSum(keepAll), Mix: mixSum(maskNone),
		},
		{
			Name: "ties", Doc: "Trim each task vector to its largest entries, elect a sign an entry, average those that agree.",
			Math: "s_i = the int(density n) largest |d_i| of the tensor; D_i = w_i s_i; g = sign(sum D_i), 0 counts as +; y = b + lambda sum_{D_i agrees} D_i / sum_{agrees} w_i",
			Cite: "Yadav et al. 2023, TIES-Merging, arXiv:2306.01708",
			Base: BaseRequired, MinSources: 1,
			Params:  []Param{required(weight), density, lambda, flag("normalize", true, "divide by the sum of the agreeing weights"), rescaleL1(false)},
			Inert:   []string{"int8_mask"},
			SourceF: 3, SourceU: 1, GlobalF: 2, Coef: coefElect(keepLargest), Mix: mixElect(maskLargest),
		},
		{
			Name: "dare_linear", Doc: "Drop entries of each task vector at random, rescale the rest, add them to the base.",
			Math: "s_i = d_i kept with probability density, times sum|d_i| / sum|kept d_i| if rescale; y = b + lambda sum_i w_i s_i",
			Cite: "Yu et al. 2024, DARE, arXiv:2311.03099; the L1 rescale is mergekit's",
			Base: BaseRequired, MinSources: 1,
			Params:  []Param{required(weight), density, lambda, flag("normalize", false, "divide by the sum of the weights"), rescaleL1(true)},
			Inert:   []string{"int8_mask"},
			SourceF: 1, SourceU: 3, Coef: coefSum(keepRandom), Mix: mixSum(maskRandom),
		},
		{
			Name: "dare_ties", Doc: "DARE's random drop, then the sign election of TIES.",
			Math: "s_i as dare_linear, then the election of ties without a second trim",
			Cite: "Yu et al. 2024, DARE, arXiv:2311.03099; Yadav et al. 2023, TIES-Merging",
			Base: BaseRequired, MinSources: 1,
			Params:  []Param{required(weight), density, lambda, flag("normalize", false, "divide by the sum of the agreeing weights"), rescaleL1(true)},
			Inert:   []string{"int8_mask"},
			SourceF: 2, SourceU: 3, GlobalF: 2, Coef: coefElect(keepRandom), Mix: mixElect(maskRandom),
		},
		{
			Name: "breadcrumbs", Doc: "Drop the largest and the smallest entries of each task vector, add the rest to the base.",
			Math: "ranks of |d_i| in the tensor, ascending: keep [nb, nb+tn), tn = int(density n), nt = int(gamma n), nb = max(0, n-tn-nt); y = b + lambda sum_i w_i s_i",
			Cite: "Davari & Belilovsky 2023, Model Breadcrumbs, arXiv:2312.06795",
			Base: BaseRequired, MinSources: 1,
			Params: []Param{required(weight), density,
				{Name: "gamma", PerSource: true, Default: 0.01, Min: 0, Max: 1, Low: 0, High: 0.1, Start: 0.01, Grid: 1.0 / 1024, Doc: "share of the largest entries dropped"},
				lambda, flag("normalize", false, "divide by the sum of the weights"), rescaleL1(false)},
			Inert:   []string{"int8_mask"},
			SourceF: 3, SourceU: 2, Coef: coefSum(keepBand), Mix: mixSum(maskBand),
		},
	}
})

var (
	weight  = Param{Name: "weight", PerSource: true, Min: math.Inf(-1), Max: math.Inf(1), Low: 0, High: 1.5, Start: 0.5, Doc: "share of the model; negative subtracts it"}
	density = Param{Name: "density", PerSource: true, Default: 1, Min: 0, Max: 1, Low: 0.1, High: 1, Start: 0.5, Grid: 1.0 / 1024, Doc: "share of the task vector's entries kept"}
	lambda  = Param{Name: "lambda", Default: 1, Min: math.Inf(-1), Max: math.Inf(1), Low: 0, High: 2, Start: 1, Doc: "scale of the merged task vector"}
)

func required(p Param) Param {
	p.Required = true
	return p
}

func flag(name string, on bool, doc string) Param {
	p := Param{Name: name, Bool: true, Max: 1, High: 1, Doc: doc}
	if on {
		p.Default, p.Start = 1, 1
	}
	return p
}

func rescaleL1(on bool) Param {
	return flag("rescale", on, "scale what is kept to the task vector's L1 norm")
}

// coefLinear: c_i = w_i, over their sum if normalize.
func coefLinear(_ *Profile, global Values, source []Values, out Coefs) error {
	total, err := weightSum(global, source, 0)
	if err != nil {
		return err
	}
	for i, s := range source {
		out.SetF(i, 0, s.Get("weight")/total)
	}
	return nil
}

// weightSum returns the divisor of normalize: the sum of the weights, or 1
// without it. A magnitude up to floor counts as "do not divide"; with floor 0,
// a sum of zero is an error, since every entry would be Inf or NaN.
func weightSum(global Values, source []Values, floor float64) (float64, error) {
	if !global.Is("normalize") {
		return 1, nil
	}
	var sum float64
	for _, s := range source {
		sum += s.Get("weight")
	}
	switch {
	case floor > 0 && math.Abs(sum) < floor:
		return 1, nil
	case sum == 0:
		return 0, fmt.Errorf("the weights sum to 0 and normalize divides by it: change a weight or set normalize: false")
	}
	return sum, nil
}

// slerpColinear: above this |cosine| slerp falls back to a straight line.
const slerpColinear = 0.9995

func coefSlerp(p *Profile, global Values, _ []Values, out Coefs) error {
	g, err := p.Gram() // base and source
	if err != nil {
		return err
	}
	norm := func(sq float64) float64 {
		if n := math.Sqrt(sq); n > 1e-8 {
			return n
		}
		return 1
	}
	t := global.Get("t")
	cos := math.Max(-1, math.Min(1, g[0][1]/(norm(g[0][0])*norm(g[1][1]))))
	a, b := 1-t, t
	if math.Abs(cos) <= slerpColinear {
		angle := math.Acos(cos)
		a, b = math.Sin((1-t)*angle)/math.Sin(angle), math.Sin(t*angle)/math.Sin(angle)
	}
	out.SetGlobal(0, a)
	out.SetGlobal(1, b)
	return nil
}

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
			if anyNegative(source) {
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

// keepBand keeps the ranks [nb, nb+tn) of |d| in ascending order; a density of 1
// or more keeps all, whatever gamma says.
func keepBand(p *Profile, source int, global, v Values, f int, out Coefs) (float64, error) {
	n := p.Len()
	lo, hi := 0, n
	if d := v.Get("density"); d < 1 {
		kept, top := int(d*float64(n)), int(v.Get("gamma")*float64(n))
		lo = max(0, n-kept-top)
		hi = min(n, lo+kept)
	}
	low, err := p.Below(source, lo)
	if err != nil {
		return 0, err
	}
	high, err := p.Below(source, hi)
	if err != nil {
		return 0, err
	}
	out.SetF(source, f, float64(low.Mag))
	out.SetU(source, 0, low.Last)
	out.SetF(source, f+1, float64(high.Mag))
	out.SetU(source, 1, high.Last)
	if !global.Is("rescale") {
		return 1, nil
	}
	return p.rescaleBand(source, low, high)
}

// keepRandom keeps an entry iff its noise is below floor(density 2^32).
func keepRandom(p *Profile, source int, global, v Values, _ int, out Coefs) (float64, error) {
	k := p.noise(source)
	d := v.Get("density")
	out.SetU(source, 0, k[0])
	out.SetU(source, 1, k[1])
	out.SetU(source, 2, noiseLimit(d))
	if noiseCount(d) == 0 {
		return 0, nil // nothing is kept: the limit cannot say so, the factor can
	}
	if !global.Is("rescale") {
		return 1, nil
	}
	return p.rescaleNoise(source, d)
}
