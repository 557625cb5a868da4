package evolve

import (
	"math"
	"math/rand/v2"
	"slices"
)

var _ = row(Algorithm{
	Name:       "m2n2",
	Doc:        "M2N2 on genes: members of an archive compete for the examples they score on, mate for what they lack, and are mixed on either side of a split point.",
	Use:        "many different good merges whose examples complement each other, and merges with a gene a layer or tensor, along which the split runs",
	Cite:       "Abrantes, Lange and Tang 2025, Competition and Attraction Improve Model Fusion, GECCO, arXiv:2508.16204",
	Population: "8",
	Options: []Option{
		{Name: "archive", Default: "20", Min: 2, Max: maxPopulation, Int: true, Doc: "members that compete"},
		{Name: "alpha", Default: "1", Min: 0, Max: 10, Doc: "how much they compete: 0 not at all, 1 an example is shared out, above 1 crowds lose"},
		{Name: "attraction", Default: "on", Words: []string{"on", "off"}, Doc: "off: the second parent is drawn by fitness too"},
		{Name: "split", Default: "on", Words: []string{"on", "off"}, Doc: "off: one ratio for all genes"},
		{Name: "mutation", Default: "0.1", Min: 0, Max: 1, Doc: "standard deviation of the noise on a child's genes, in parts of sigma"},
	},
	New: func(box Box, o Settings) (Optimizer[[]float64], error) {
		set(&o.Population, 8)
		m := &natural{
			flight: o.Population, archive: o.whole("archive"), rules: niches{alpha: o.number("alpha")},
			attraction: o.word("attraction") == "on", split: o.word("split") == "on", noise: o.number("mutation") * o.Sigma,
		}
		return newPopulation("m2n2", m, box, o, o.Population), nil
	},
})

// natural is M2N2 of genes, which are mixed along lines. Genes of models made from
// nothing mutate, as the paper's networks do.
type natural struct {
	flight, archive   int
	rules             niches
	attraction, split bool
	noise             float64
	now               *market // of the members there are; nil: not opened yet
}

func (m *natural) fresh() breed            { return &natural{} }
func (m *natural) stop(*population) string { return "" }
func (m *natural) count(*population) int   { return m.flight }

func (m *natural) child(p *population, rng *rand.Rand, _ int) ([]float64, []uint64) {
	if m.now == nil {
		now := m.market(p.members)
		m.now = &now
	}
	i, j := couple(*m.now, m.attraction, rng.Float64(), rng.Float64())
	a, b := p.members[i], p.members[j]
	at, ratio := p.n, rng.Float64()
	if m.split {
		at = rng.IntN(p.n)
	}
	u := make([]float64, p.n)
	for k := range u {
		t := ratio
		if k >= at {
			t = 1 - t
		}
		u[k] = bounce((1-t)*a.Genome[k] + t*b.Genome[k] + m.noise*rng.NormFloat64())
	}
	return u, distinct([]uint64{a.ID, b.ID})
}

func (m *natural) market(members []Scored[[]float64]) market {
	scores := make([][]float32, len(members))
	for i, s := range members {
		if scores[i] = resources(s); len(scores[i]) != len(scores[0]) { // in a state that is not ours
			scores[i] = make([]float32, len(scores[0]))
		}
	}
	return m.rules.open(scores)
}

// resources are the scores that members compete for: of the examples, or where there
// are none the value, squeezed into [0, 1]. Failed members have none.
func resources(s Scored[[]float64]) []float32 {
	switch {
	case s.Failed():
		return make([]float32, max(1, len(s.Items)))
	case len(s.Items) == 0:
		return []float32{float32(0.5 + math.Atan(s.Value)/math.Pi)}
	}
	return s.Items
}

func (m *natural) survive(p *population, told []Scored[[]float64]) []Scored[[]float64] {
	m.now = nil
	members := slices.DeleteFunc(slices.Clone(p.members), Scored[[]float64].Failed)
	for _, s := range told {
		switch {
		case s.Failed():
			continue
		case len(members) > 0 && len(resources(s)) != len(resources(members[0])):
			continue // of other examples: there is nothing to compare
		}
		members = append(members, s)
		if len(members) > m.archive {
			members[m.market(members).worst()] = s
			members = members[:m.archive]
		}
	}
	if len(members) == 0 { // all failed: breed from them for want of better
		return told
	}
	return members
}

func (m *natural) state(f fields, _ *population) {
	f.int("in flight", &m.flight, 1, maxPopulation)
	f.int("archive", &m.archive, 2, maxPopulation)
	f.within("alpha", &m.rules.alpha, 0, 10)
	f.bool("attraction", &m.attraction)
	f.bool("split", &m.split)
	f.within("mutation", &m.noise, 0, 1)
}
