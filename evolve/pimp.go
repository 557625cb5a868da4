package evolve

import (
	"math"
	"math/rand/v2"
	"slices"
)

var _ = row(Algorithm{
	Name:       "pimp",
	Doc:        "A genetic algorithm in which each individual carries, and passes on, an idea of its ideal mate.",
	Use:        "many different good merges rather than one; tasks whose examples are solved by different models",
	Cite:       "Simões, Lourenço and Machado 2023, All You Need Is Sex for Diversity, EuroGP, arXiv:2303.17441",
	Population: "20",
	Options: []Option{
		{Name: "candidates", Default: "5", Min: 1, Max: 1000, Int: true, Doc: "from how many an individual chooses its mate"},
		{Name: "tournament", Default: "3", Min: 1, Max: 1000, Int: true, Doc: "size of the tournament for the one who chooses"},
	},
	New: func(box Box, o Settings) (Optimizer[[]float64], error) {
		set(&o.Population, 20)
		p := &pimp{size: max(2, o.Population), candidates: o.whole("candidates"), rounds: o.whole("tournament"), sigma: o.Sigma / 2}
		return newPopulation("pimp", p, box, o, p.size), nil
	},
})

// pimp chooses mates by preference. An ideal mate is what it should score on each
// example, in [0, 1]; where there are no scores of examples, what genes it should have.
type pimp struct {
	size, candidates, rounds int
	sigma                    float64
	ideals                   [][]float32 // of the members, in their order
}

func (m *pimp) fresh() breed            { return &pimp{} }
func (m *pimp) stop(*population) string { return "" }
func (m *pimp) count(*population) int   { return m.size }

// behaviour is what ideals are compared with.
func behaviour(s Scored[[]float64]) []float32 {
	if len(s.Items) > 0 {
		return s.Items
	}
	out := make([]float32, len(s.Genome))
	for i, u := range s.Genome {
		out[i] = float32(u)
	}
	return out
}

// distance is Σ|q - s| over the examples that both have.
func (m *pimp) distance(ideal []float32, s Scored[[]float64]) float64 {
	sum := 0.0
	for i, x := range behaviour(s)[:min(len(ideal), len(behaviour(s)))] {
		sum += math.Abs(float64(ideal[i] - x))
	}
	return sum
}

// couple are the places of a child's parents: the winner of a tournament, and whom of
// some it likes best.
func (m *pimp) couple(p *population, rng *rand.Rand) (a, b int) {
	a = rng.IntN(len(p.members))
	for range m.rounds - 1 {
		if i := rng.IntN(len(p.members)); Better(p.members[i], p.members[a]) {
			a = i
		}
	}
	least := math.Inf(1)
	b = a
	for range m.candidates {
		i := rng.IntN(len(p.members))
		if d := m.distance(m.ideals[a], p.members[i]); i != a && d < least {
			b, least = i, d
		}
	}
	return a, b
}

func (m *pimp) child(p *population, rng *rand.Rand, _ int) ([]float64, []uint64) {
	i, j := m.couple(p, rng)
	a, b := p.members[i], p.members[j]
	u := make([]float64, p.n)
	forced := rng.IntN(p.n)
	for k := range u {
		w := rng.Float64()*1.5 - 0.25 // a point about the two
		u[k] = a.Genome[k] + w*(b.Genome[k]-a.Genome[k])
		if rng.Float64() < 1/float64(p.n) || k == forced {
			u[k] += m.sigma * rng.NormFloat64()
		}
		u[k] = bounce(u[k])
	}
	return u, distinct([]uint64{a.ID, b.ID})
}

// ideal is the preference that child k inherits: each entry of one of its parents', one
// in twenty anew.
func (m *pimp) ideal(p *population, s Scored[[]float64]) []float32 {
	n := len(behaviour(s))
	out := make([]float32, n)
	rng := Draws(p.seed, s.ID)
	var a, b []float32
	if p.generation > 0 {
		i, j := m.couple(p, rng)
		a, b = m.ideals[i], m.ideals[j]
	}
	rng = Draws(p.seed, mix(s.ID)) // apart from the solution's
	for t := range out {
		out[t] = rng.Float32()
		from := a
		if rng.IntN(2) == 1 {
			from = b
		}
		if t < len(from) && rng.IntN(20) > 0 {
			out[t] = from[t]
		}
	}
	return out
}

func (m *pimp) survive(p *population, told []Scored[[]float64]) []Scored[[]float64] {
	ideals := map[uint64][]float32{}
	for i, s := range p.members {
		ideals[s.ID] = m.ideals[i]
	}
	for _, s := range told {
		ideals[s.ID] = m.ideal(p, s)
	}
	// The next generation, and of the last one the best.
	pool := append(best(p.members, 1), told...)
	members := best(pool, m.size)
	m.ideals = nil
	for _, s := range members {
		m.ideals = append(m.ideals, slices.Clone(ideals[s.ID]))
	}
	return members
}

func (m *pimp) state(f fields, p *population) {
	f.int("size", &m.size, 2, maxPopulation)
	f.int("candidates", &m.candidates, 1, 1000)
	f.int("tournament", &m.rounds, 1, 1000)
	f.within("sigma", &m.sigma, 0, 1)
	if f.reading() {
		m.ideals = nil
		if len(p.members) > 0 {
			m.ideals = make([][]float32, len(p.members))
		}
	}
	for i := range m.ideals {
		f.items("ideal", &m.ideals[i])
		if !f.ok() {
			return
		}
	}
}
