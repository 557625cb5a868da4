package evolve

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
)

var _ = row(Algorithm{
	Name:       "metade",
	Doc:        "MetaDE: differential evolution whose strategy and parameters another differential evolution evolves.",
	Use:        "functions that cost nothing, ten thousands at once on a GPU; never where an evaluation is a model's",
	Cite:       "Chen, Feng and Cheng 2025, MetaDE: Evolving Differential Evolution by Differential Evolution, arXiv:2502.10470",
	Population: "20 for each executor",
	Options: []Option{
		{Name: "executors", Default: "10", Min: 4, Max: 1000, Int: true, Doc: "how many searches run side by side, each with parameters of its own"},
		{Name: "steps", Default: "200", Min: 1, Max: 1e6, Int: true, Doc: "generations of a search before its parameters are judged"},
	},
	New: func(box Box, o Settings) (Optimizer[[]float64], error) {
		executors := o.whole("executors")
		set(&o.Population, 20*executors)
		executors = max(1, min(executors, o.Population/4))
		m := &MetaDE{n: len(box), size: o.Population, steps: o.whole("steps"), seed: o.Seed, start: box.Start(), asked: asked{first: 1}}
		if o.Start != nil {
			m.start = slices.Clone(o.Start)
		}
		for e := range executors {
			m.trials = append(m.trials, uniformPoint(Draws(o.Seed, mix(uint64(e))), executorGenes))
		}
		m.executors = make([][]Scored[[]float64], executors)
		return m, nil
	},
})

// MetaDE runs executors, differential evolutions of every kind, in one generation;
// candidate k is of executor k mod executors. After so many steps the best value that
// an executor has reached is what its parameters are worth to the evolver, plain
// DE/rand/1/bin. All executors of a round begin from the same numbers, so that only
// their parameters tell them apart, and one of them with the best point so far.
type MetaDE struct {
	n, size, steps int
	seed           uint64
	start          []float64
	round, step    int

	trials    [][]float64 // the parameters that are tried, a point of the unit cube each
	parents   [][]float64 // the evolver's members
	worth     []float64   // theirs; -Inf where nothing is known
	executors [][]Scored[[]float64]
	best      []Scored[[]float64] // of all rounds, or none
	asked
}

// An executor's genes: F, CR, left and right base, number of differences, crossover.
const executorGenes = 6

// executor is what the genes mean (the paper's table 1).
type executor struct {
	f, cr       float64
	left, right int // base vectors: a random one, the best, one of the best, the current
	differences int // 1 to 4
	crossover   int // binomial, exponential, arithmetic
}

func decodeExecutor(u []float64) executor {
	pick := func(i, n int) int { return min(int(u[i]*float64(n)), n-1) }
	return executor{u[0], u[1], pick(2, 4), pick(3, 4), 1 + pick(4, 4), pick(5, 3)}
}

// places are the candidates of executor e.
func (m *MetaDE) places(e int) []int {
	var out []int
	for k := e; k < m.size; k += len(m.trials) {
		out = append(out, k)
	}
	return out
}

// Ask implements Optimizer.
func (m *MetaDE) Ask(ctx context.Context) ([]Candidate[[]float64], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.out = true
	pop := make([]Candidate[[]float64], m.size)
	for e, u := range m.trials {
		x := decodeExecutor(u)
		ranked := best(m.executors[e], max(1, len(m.executors[e])/20))
		for i, k := range m.places(e) {
			c := &pop[k]
			c.ID = m.first + uint64(k)
			// The same numbers for place i of every executor of a round.
			rng := Draws(m.seed, mix(mix(uint64(m.round)<<20^uint64(m.step))+uint64(i)))
			switch {
			case m.step > 0:
				c.Genome = x.trial(rng, m.executors[e], ranked, i)
				c.Parents = []uint64{m.executors[e][i].ID}
			case i == 0 && len(m.best) > 0:
				c.Genome = slices.Clone(m.best[0].Genome)
				c.Parents = []uint64{m.best[0].ID}
			case i == 0:
				c.Genome = slices.Clone(m.start)
			default:
				c.Genome = uniformPoint(rng, m.n)
			}
		}
	}
	return pop, nil
}

// trial is what an executor makes of its member i; ranked are its best members.
func (x executor) trial(rng *rand.Rand, members, ranked []Scored[[]float64], i int) []float64 {
	others := rng.Perm(len(members))
	base := func(kind, r int) []float64 {
		switch kind {
		case 1:
			return ranked[0].Genome
		case 2:
			return ranked[rng.IntN(len(ranked))].Genome
		case 3:
			return members[i].Genome
		}
		return members[others[r%len(others)]].Genome
	}
	left, right := base(x.left, 0), base(x.right, 1)
	current := members[i].Genome
	u := slices.Clone(current)
	n := len(u)
	mutant := func(k int) float64 {
		v := left[k] + x.f*(right[k]-left[k])
		for d := range x.differences {
			a, b := members[others[(2+2*d)%len(others)]], members[others[(3+2*d)%len(others)]]
			v += x.f * (a.Genome[k] - b.Genome[k])
		}
		return clampUnit(v)
	}
	switch x.crossover {
	case 0:
		forced := rng.IntN(n)
		for k := range u {
			if rng.Float64() < x.cr || k == forced {
				u[k] = mutant(k)
			}
		}
	case 1:
		k := rng.IntN(n) // one at least, unlike the authors' program
		for range n {
			u[k] = mutant(k)
			k = (k + 1) % n
			if rng.Float64() >= x.cr {
				break
			}
		}
	default:
		for k := range u {
			u[k] = clampUnit(u[k] + x.cr*(mutant(k)-u[k]))
		}
	}
	return u
}

// Tell implements Optimizer.
func (m *MetaDE) Tell(told []Scored[[]float64]) error {
	if err := match(m.asked, m.size, told); err != nil {
		return err
	}
	own := make([]Scored[[]float64], len(told))
	for _, s := range told {
		s.Genome, s.Parents, s.Items = slices.Clone(s.Genome), nil, nil
		if s.Failed() {
			s.Value, s.Err = math.NaN(), nil
		}
		own[s.ID-m.first] = s
	}
	for e := range m.trials {
		places := m.places(e)
		if m.step == 0 {
			m.executors[e] = nil
			for _, k := range places {
				m.executors[e] = append(m.executors[e], own[k])
			}
			continue
		}
		for i, k := range places {
			if old := m.executors[e][i]; Better(own[k], old) || own[k].Value == old.Value && own[k].tie() == old.tie() {
				m.executors[e][i] = own[k]
			}
		}
	}
	if top := slices.MinFunc(own, Compare); !top.Failed() && (len(m.best) == 0 || Better(top, m.best[0])) {
		m.best = []Scored[[]float64]{top}
	}
	if m.step++; m.step > m.steps {
		m.judge()
	}
	m.asked = asked{first: m.first + uint64(len(told))}
	return nil
}

// judge tells the evolver what the trials were worth, and begins the next round.
func (m *MetaDE) judge() {
	worth := make([]float64, len(m.trials))
	for e := range m.trials {
		top := slices.MinFunc(m.executors[e], Compare)
		if worth[e] = top.Value; top.Failed() {
			worth[e] = math.Inf(-1)
		}
		m.executors[e] = nil
	}
	if m.parents == nil {
		m.parents, m.worth = m.trials, worth
	} else {
		for e := range m.trials {
			if worth[e] >= m.worth[e] {
				m.parents[e], m.worth[e] = m.trials[e], worth[e]
			}
		}
	}
	m.round++
	m.step = 0
	const f, cr = 0.5, 0.9
	next := make([][]float64, len(m.parents))
	for e := range next {
		rng := Draws(m.seed, mix(uint64(m.round)<<32^mix(uint64(e))))
		next[e] = slices.Clone(m.parents[e])
		r := rng.Perm(len(m.parents))
		a, b, c := m.parents[r[0]], m.parents[r[1%len(r)]], m.parents[r[2%len(r)]]
		forced := rng.IntN(executorGenes)
		for i := range next[e] {
			if rng.Float64() < cr || i == forced {
				next[e][i] = clampUnit(a[i] + f*(b[i]-c[i]))
			}
		}
	}
	m.trials = next
}

// Stop implements Optimizer: always "".
func (m *MetaDE) Stop() string { return "" }

const (
	metaDEKind    = "evolve/metade"
	metaDEVersion = 1
)

// MarshalBinary implements Optimizer.
func (m *MetaDE) MarshalBinary() ([]byte, error) {
	return marshal(metaDEKind, metaDEVersion, func(f fields) { m.state(f, 0) })
}

// UnmarshalBinary implements Optimizer.
func (m *MetaDE) UnmarshalBinary(data []byte) error {
	var s MetaDE
	if err := unmarshal(data, metaDEKind, metaDEVersion, func(f fields) { s.state(f, m.n) }); err != nil {
		return err
	}
	*m = s
	return nil
}

func (m *MetaDE) state(f fields, n int) {
	f.genes(&m.n, n)
	f.int("population", &m.size, 1, maxPopulation)
	f.int("steps", &m.steps, 1, math.MaxInt32)
	f.uint(&m.seed)
	f.unit("start", &m.start, m.n)
	f.int("round", &m.round, 0, math.MaxInt32)
	f.int("step", &m.step, 0, m.steps)
	f.asked(&m.asked)
	count := len(m.trials)
	f.count("executors", &count, m.size, 8*executorGenes)
	if f.reading() {
		if !f.ok() || count == 0 {
			f.fail("there is no executor")
			return
		}
		m.trials, m.executors = make([][]float64, count), make([][]Scored[[]float64], count)
	}
	for e := range m.trials {
		f.unit("trial", &m.trials[e], executorGenes)
		f.scored("members", &m.executors[e], m.n, m.size)
		if f.ok() && m.step > 0 && len(m.executors[e]) != len(m.places(e)) {
			f.fail("executor %d has %d members", e, len(m.executors[e]))
		}
	}
	has := m.parents != nil
	if f.bool("evolver", &has); has {
		if f.reading() {
			m.parents, m.worth = make([][]float64, count), make([]float64, count)
		}
		for e := range m.parents {
			f.unit("parameters", &m.parents[e], executorGenes)
			f.float(&m.worth[e])
		}
	}
	f.scored("best", &m.best, m.n, 1)
}
