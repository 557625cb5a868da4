package evolve

import (
	"math"
	"math/rand/v2"
	"slices"
)

var _ = row(Algorithm{
	Name:       "nsga2",
	Doc:        "NSGA-II: keeps what nothing else beats in everything, spread out along the front.",
	Use:        "two or three tasks to trade off (pareto); a front of recipes is the result",
	Cite:       "Deb, Pratap, Agarwal and Meyarivan 2002, A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II, IEEE TEVC 6(2)",
	Population: "40",
	Front:      true,
	New: func(box Box, o Settings) (Optimizer[[]float64], error) {
		set(&o.Population, 40)
		return newPopulation("nsga2", &nsga{size: max(2, o.Population)}, box, o, max(2, o.Population)), nil
	},
})

// nsga is NSGA-II, and with directions NSGA-III.
type nsga struct {
	size       int
	directions [][]float64 // NSGA-III's; nil for NSGA-II
	partitions int
	goals      int // how many objectives the directions are for

	// Of the members who breed the generation that begins with at.
	at    uint64
	rank  []int
	crowd []float64
}

// pymoo's and the papers' settings of simulated binary crossover and of polynomial
// mutation.
const (
	crossoverRate  = 0.9
	crossoverIndex = 15
	mutationIndex  = 20
)

func (m *nsga) fresh() breed            { return &nsga{} }
func (m *nsga) stop(*population) string { return "" }
func (m *nsga) count(*population) int   { return m.size }

// points are the members' objectives, all of the same number.
func points(list []Scored[[]float64]) [][]float64 {
	width := 1
	for _, s := range list {
		if !s.Failed() {
			width = max(width, len(s.Objectives))
		}
	}
	out := make([][]float64, len(list))
	for i, s := range list {
		out[i] = objectives(s)
		for len(out[i]) < width {
			out[i] = append(out[i], math.Inf(-1))
		}
	}
	return out
}

func (m *nsga) child(p *population, rng *rand.Rand, k int) ([]float64, []uint64) {
	if m.at != p.first {
		m.at = p.first
		m.rank, m.crowd = m.places(p.members)
	}
	rank, crowd := m.rank, m.crowd
	pick := func() int {
		a, b := rng.IntN(len(p.members)), rng.IntN(len(p.members))
		if rank[b] < rank[a] || rank[a] == rank[b] && crowd[b] > crowd[a] {
			return b
		}
		return a
	}
	i, j := pick(), pick()
	a, b := p.members[i].Genome, p.members[j].Genome
	var u []float64
	for range 20 { // no copies of members
		u = simulatedBinary(rng, a, b)
		polynomial(rng, u, 1/float64(p.n))
		if !slices.ContainsFunc(p.members, func(s Scored[[]float64]) bool { return slices.Equal(s.Genome, u) }) {
			break
		}
	}
	return u, distinct([]uint64{p.members[i].ID, p.members[j].ID})
}

// places are the members' fronts and crowding distances within them.
func (m *nsga) places(list []Scored[[]float64]) (rank []int, crowd []float64) {
	all := points(list)
	rank, crowd = ranks(all), make([]float64, len(list))
	if m.directions != nil {
		return rank, crowd // NSGA-III's tournaments are drawn
	}
	for r := 0; r <= slices.Max(rank); r++ {
		var front [][]float64
		var at []int
		for i, x := range rank {
			if x == r {
				front, at = append(front, all[i]), append(at, i)
			}
		}
		for i, d := range crowding(front) {
			crowd[at[i]] = d
		}
	}
	return rank, crowd
}

// simulatedBinary is one child of SBX (Deb and Agrawal 1995), between bounds 0 and 1.
func simulatedBinary(rng *rand.Rand, a, b []float64) []float64 {
	u := slices.Clone(a)
	if rng.Float64() >= crossoverRate {
		return u
	}
	for i := range u {
		if rng.Float64() >= 0.5 || math.Abs(a[i]-b[i]) < 1e-14 {
			continue
		}
		lo, hi := math.Min(a[i], b[i]), math.Max(a[i], b[i])
		r := rng.Float64()
		spread := func(room float64) float64 {
			alpha := 2 - math.Pow(1+2*room/(hi-lo), -(crossoverIndex+1))
			if r <= 1/alpha {
				return math.Pow(r*alpha, 1./(crossoverIndex+1))
			}
			return math.Pow(1/(2-r*alpha), 1./(crossoverIndex+1))
		}
		if rng.IntN(2) == 0 {
			u[i] = clampUnit(0.5 * (lo + hi - spread(lo)*(hi-lo)))
		} else {
			u[i] = clampUnit(0.5 * (lo + hi + spread(1-hi)*(hi-lo)))
		}
	}
	return u
}

// polynomial is Deb's mutation, of each coordinate with a probability.
func polynomial(rng *rand.Rand, u []float64, rate float64) {
	const power = 1. / (mutationIndex + 1)
	for i, x := range u {
		if rng.Float64() >= rate {
			continue
		}
		r := rng.Float64()
		if r < 0.5 {
			u[i] = clampUnit(x + math.Pow(2*r+(1-2*r)*math.Pow(1-x, mutationIndex+1), power) - 1)
		} else {
			u[i] = clampUnit(x + 1 - math.Pow(2*(1-r)+(2*r-1)*math.Pow(x, mutationIndex+1), power))
		}
	}
}

func (m *nsga) survive(p *population, told []Scored[[]float64]) []Scored[[]float64] {
	pool := append(slices.Clone(p.members), told...)
	all := points(pool)
	rank := ranks(all)
	var out []Scored[[]float64]
	for r := 0; len(out) < m.size; r++ {
		var at []int
		for i, x := range rank {
			if x == r {
				at = append(at, i)
			}
		}
		if len(at) == 0 {
			break
		}
		if left := m.size - len(out); len(at) > left {
			if m.directions != nil {
				at = m.niches(p, all, rank, at, left)
			} else {
				at = spreadOut(all, at, left)
			}
		}
		for _, i := range at {
			out = append(out, pool[i])
		}
	}
	for i := range out {
		out[i].Items, out[i].Descriptors = nil, nil
	}
	return out
}

// spreadOut keeps so many of a front, those with the most room about them.
func spreadOut(all [][]float64, at []int, keep int) []int {
	front := make([][]float64, len(at))
	for i, k := range at {
		front[i] = all[k]
	}
	d := crowding(front)
	order := make([]int, len(at))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case d[a] > d[b]:
			return -1
		case d[a] < d[b]:
			return 1
		}
		return 0
	})
	out := make([]int, keep)
	for i := range out {
		out[i] = at[order[i]]
	}
	slices.Sort(out)
	return out
}

func (m *nsga) state(f fields, p *population) {
	f.int("size", &m.size, 1, maxPopulation)
	f.int("partitions", &m.partitions, 0, 1000)
	if m.partitions > 0 {
		f.int("objectives", &m.goals, 1, 16)
	}
	if f.reading() && f.ok() && m.partitions > 0 {
		if choose(m.goals+m.partitions-1, m.partitions) > 1<<16 {
			f.fail("too many directions")
			return
		}
		m.directions = dasDennis(m.goals, m.partitions)
	}
}
