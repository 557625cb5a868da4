package merge

import "math"

var _ = row(Method{
	Name: "karcher", Doc: "Mean of the models' directions on the sphere (Riemannian, iterated), times their mean norm; all models alike.",
	Math:       "u_i = x_i/|x_i|; u minimises sum_i angle(u, u_i)^2; y = (sum_i |x_i| / n) u",
	Cite:       "Karcher 1977; Goddard, mergekit 0.1.5",
	Base:       BaseUnused,
	MinSources: 1,
	Params: []Param{
		{Name: "max_iter", Default: 10, Min: 1, Max: 1e6, Doc: "most steps taken"},
		{Name: "tol", Default: 1e-5, Min: 0, Max: 1, Doc: "length of a step at which it stops; norms up to it count as zero"}},
	Deviation: "A base_model that is not among the models is not averaged in: list it to have it so. The direction is iterated in float64, and a model opposite to it does not turn it.",
	SourceF:   1, Coef: coefKarcher, Mix: mixVectors,
})

// nearOpposite is the distance from a straight angle at which the rest is rounding of
// float32 inputs.
const nearOpposite = 1e-6

func coefKarcher(p *Profile, global Values, source []Values, out Coefs) error {
	grams, err := p.DeltaGrams(p.whole())
	if err != nil {
		return err
	}
	g, tol := grams[0], global.Get("tol")
	share := 1 / float64(len(source))
	var scale float64
	var live []int
	unit := make([]float64, len(source))
	for i := range source {
		n := math.Sqrt(g[i][i])
		scale += share * n
		if n > tol {
			live, unit[i] = append(live, i), 1/n
		}
	}
	if live == nil {
		return nil // all zero
	}
	a := 1 / float64(len(live))
	u := make([]float64, len(source))
	for _, i := range live {
		u[i] = a * unit[i]
	}
	if n := math.Sqrt(math.Max(0, g.form(u, u))); n < tol {
		clear(u)
		u[live[0]] = unit[live[0]]
	} else {
		for i := range u {
			u[i] /= n
		}
	}
	e, step := make([]float64, len(source)), make([]float64, len(source))
	for range int(global.Get("max_iter")) {
		clear(step)
		for _, i := range live {
			e[i] = unit[i]
			cos := clip(g.form(u, e), -1, 1)
			e[i] = 0
			angle := math.Acos(cos)
			if angle < tol || math.Pi-angle < nearOpposite {
				continue // an opposite model draws in all directions alike
			}
			f := a * angle / math.Sin(angle)
			for j := range step {
				step[j] -= f * cos * u[j]
			}
			step[i] += f * unit[i]
		}
		length := math.Sqrt(math.Max(0, g.form(step, step)))
		if length < tol {
			break
		}
		for i := range u {
			u[i] = math.Cos(length)*u[i] + math.Sin(length)*step[i]/length
		}
		n := math.Sqrt(g.form(u, u))
		for i := range u {
			u[i] /= n
		}
	}
	for i := range u {
		out.SetF(i, 0, scale*u[i])
	}
	return nil
}
