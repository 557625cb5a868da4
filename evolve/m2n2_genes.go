package evolve

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
)

var _ = row(Algorithm{
	Name:       "m2n2",
	Doc:        "M2N2: members of an archive compete for the examples they score on, mate for what they lack, and are mixed on either side of a split point: of the flat order of all weights where the recipe's merge_method is niche, else of its genes.",
	Use:        "niche merges of whole models; many different good merges whose examples complement each other; merges with a gene a layer or tensor, along which the split runs",
	Cite:       "Abrantes, Lange and Tang 2025, Competition and Attraction Improve Model Fusion, GECCO, arXiv:2508.16204",
	Population: "8 (1 in niche merges), which are bred before any of them is scored,",
	Options: []Option{
		{Name: "archive", Default: "20", Min: 2, Max: maxPopulation, Int: true, Doc: "members that compete"},
		{Name: "alpha", Default: "1", Min: 0, Max: 10, Doc: "how much they compete: 0 not at all, 1 an example is shared out, above 1 crowds lose"},
		{Name: "attraction", Default: "on", Words: []string{"on", "off"}, Doc: "off: the second parent is drawn by fitness too"},
		{Name: "split", Default: "on", Words: []string{"on", "off"}, Doc: "off: one ratio for all genes"},
		{Name: "epsilon", Default: "0", Min: 0, Max: 1, Doc: "added to the sums of scores that members share"},
		{Name: "shift", Default: "auto", Words: []string{"auto", "on", "off"}, Doc: "on: the archive's worst score on an example counts as 0; auto: on where scores may be below 0, as log-likelihoods are"},
		{Name: "steady", Default: "off", Words: []string{"on", "off"}, Doc: "of niche merges: on: a child is bred as soon as one of the population is told, so that of several devices none waits for the slowest"},
		{Name: "warmup", Default: "0", Min: 0, Max: math.MaxInt32, Int: true, Doc: "children whose parents are drawn evenly: of niche merges from the models, of genes from all members"},
		{Name: "mutation", Default: "0.1", Min: 0, Max: 1, Doc: "of genes: standard deviation of the noise on a child's, in parts of sigma"},
		{Name: "chromosomes", List: true, Doc: "of niche merges: parts of tensors' names, such as [attn, mlp]; the tensors of each are split on their own, and so is the rest"},
		{Name: "path", Default: "arc", Words: []string{"arc", "line"}, Doc: "of niche merges: arc mixes by SLERP, line by LERP"},
		{Name: "angle", Default: "whole", Words: []string{"whole", "side"}, Doc: "of niche merges by arcs: the angle between the parents is the chromosome's, as in the authors' program, or of each side of the split, as in the paper"},
	},
	New: func(box Box, o Settings) (Optimizer[[]float64], error) {
		set(&o.Population, 8)
		a, err := o.m2n2()
		if err != nil {
			return nil, err
		}
		m := &natural{
			flight: a.InFlight, archive: a.Archive, rules: niches{alpha: a.Alpha, epsilon: a.Epsilon, shift: a.Shift},
			attraction: a.Attraction, warmup: a.Warmup, split: o.word("split") == "on", noise: o.number("mutation") * o.Sigma,
		}
		return newPopulation("m2n2", m, box, o, o.Population), nil
	},
})

// m2n2 are the options of settled settings of the row.
func (o Settings) m2n2() (M2N2Options, error) {
	shift := o.word("shift")
	if shift == "off" && o.Negative {
		return M2N2Options{}, errors.New("shift: off is for scores of at least 0, which M2N2 shares out, and those of a task here may be below: leave it away, or score accuracies")
	}
	return M2N2Options{
		Archive: o.whole("archive"), Alpha: o.number("alpha"), Epsilon: o.number("epsilon"), Shift: shift == "on" || shift == "auto" && o.Negative,
		Attraction: o.word("attraction") == "on", Warmup: o.whole("warmup"), InFlight: o.Population, Steady: o.word("steady") == "on", Seed: o.Seed,
	}, nil
}

// M2N2Settings are the options of M2N2 that settings of the row m2n2 say, for a search
// that is not of genes, and all of the row's options with their defaults filled in.
func M2N2Settings(o Settings) (M2N2Options, map[string]string, error) {
	a, _ := LookupOptimizer("m2n2")
	o, err := a.settle(o)
	if err != nil {
		return M2N2Options{}, nil, err
	}
	set(&o.Population, 1)
	options, err := o.m2n2()
	return options, o.Options, err
}

// natural is M2N2 of genes, which are mixed along lines. Genes of models made from
// nothing mutate, as the paper's networks do.
type natural struct {
	flight, archive   int
	warmup            int
	rules             niches
	attraction, split bool
	noise             float64
	now               *market // of the members there are; nil: not opened yet
}

func (m *natural) fresh() breed            { return &natural{} }
func (m *natural) stop(*population) string { return "" }
func (m *natural) count(*population) int   { return m.flight }

func (m *natural) child(p *population, rng *rand.Rand, k int) ([]float64, []uint64) {
	if m.now == nil {
		now := m.market(p.members)
		m.now = &now
	}
	i, j := couple(*m.now, m.attraction, rng.Float64(), rng.Float64())
	if p.first+uint64(k) <= uint64(p.size)+uint64(m.warmup) {
		i, j = rng.IntN(len(p.members)), rng.IntN(len(p.members))
	}
	a, b := p.members[i], p.members[j]
	at, ratio := p.n, rng.Float64()
	if m.split {
		at = rng.IntN(p.n)
	}
	u := make([]float64, p.n)
	for g := range u {
		t := ratio
		if g >= at {
			t = 1 - t
		}
		u[g] = bounce((1-t)*a.Genome[g] + t*b.Genome[g] + m.noise*rng.NormFloat64())
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
	f.within("epsilon", &m.rules.epsilon, 0, 1)
	f.bool("shift", &m.rules.shift)
	f.int("warm-up", &m.warmup, 0, math.MaxInt32)
	f.bool("attraction", &m.attraction)
	f.bool("split", &m.split)
	f.within("mutation", &m.noise, 0, 1)
}
