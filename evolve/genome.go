package evolve

import (
	"math"
	"math/rand/v2"
	"slices"
)

var (
	_ = row(genomeRow("genome", false,
		"GENOME: children are fitness-weighted means of members, or their mutants; elites and tournaments choose.",
		"to compare with the paper; mixes of members and small mutations, for few genes"))
	_ = row(genomeRow("genome-plus", true,
		"GENOME+: GENOME whose members also follow their own and the population's best, and flee its worst.",
		"to compare with the paper; finds more than genome does"))
)

func genomeRow(name string, swarm bool, doc, use string) Algorithm {
	return Algorithm{
		Name: name, Doc: doc, Use: use,
		Cite:       "Zhang et al. 2025, Nature-Inspired Population-Based Evolution of Large Language Models, arXiv:2503.01155",
		Population: "10 + 2 ln n",
		Options: []Option{
			{Name: "crossover", Default: "0.8", Min: 0, Max: 1, Doc: "share of children that have two parents"},
			{Name: "combine", Default: "linear", Words: []string{"linear", "blx"}, Doc: "a mean by fitness, or a point about the two (BLX-alpha)"},
			{Name: "gene", Default: "0.3", Min: 0, Max: 1, Doc: "share of a mutant's genes that change"},
			{Name: "elite", Default: "0.1", Min: 0, Max: 1, Doc: "share of the members that stay whatever comes"},
		},
		New: func(box Box, o Settings) (Optimizer[[]float64], error) {
			set(&o.Population, 10+int(2*math.Log(float64(len(box)))))
			g := &genome{swarm: swarm, size: max(3, o.Population), crossover: o.number("crossover"), combine: o.word("combine"),
				gene: o.number("gene"), elite: o.number("elite"), sigma: o.Sigma / 2, lambda: 0.5}
			return newPopulation(name, g, box, o, g.size), nil
		},
	}
}

// genome is GENOME, and with swarm GENOME+. It does not have the faults of the authors'
// program: a member's own best is a copy, so the pull towards it is not always 0; a
// member that has moved is evaluated again; and lambda decays once a generation, not
// once a member.
type genome struct {
	swarm         bool
	size          int
	crossover     float64
	combine       string
	gene, elite   float64
	sigma, lambda float64
	worst         []float64 // the worst genome of the generation before, for the swarm
	flights       []flight  // of the members, in their order
}

// flight is a member's movement in GENOME+.
type flight struct {
	velocity []float64
	own      Scored[[]float64] // the best it has been
}

// GENOME+'s weights of inertia, own best, global best and global worst, and the decay of
// its step.
const (
	inertia, cognitive, social, repel = 0.2, 0.2, 0.2, 0.1
	flightDecay                       = 0.95
)

func (g *genome) fresh() breed            { return &genome{} }
func (g *genome) stop(*population) string { return "" }

// Of the swarm every member moves, and as many children are bred as without.
func (g *genome) count(p *population) int {
	if g.swarm {
		return len(p.members) + g.size
	}
	return g.size
}

func (g *genome) child(p *population, rng *rand.Rand, k int) ([]float64, []uint64) {
	if g.swarm && k < len(p.members) {
		u, _ := g.moved(p, rng, k)
		return u, []uint64{p.members[k].ID}
	}
	i := p.proportional(rng)
	a := p.members[i]
	u := slices.Clone(a.Genome)
	if rng.Float64() < g.crossover && len(p.members) > 1 {
		j := i
		for range 20 {
			if j = p.proportional(rng); j != i {
				break
			}
		}
		if j == i {
			j = (i + 1) % len(p.members)
		}
		b := p.members[j]
		w := weight(a, b)
		for k := range u {
			x, y := a.Genome[k], b.Genome[k]
			if u[k] = w*x + (1-w)*y; g.combine == "blx" {
				const alpha = 0.5
				lo, hi := math.Min(x, y), math.Max(x, y)
				u[k] = bounce(lo - alpha*(hi-lo) + rng.Float64()*(1+2*alpha)*(hi-lo))
			}
		}
		g.mutate(rng, u, g.sigma/4)
		return u, distinct([]uint64{a.ID, b.ID})
	}
	g.mutate(rng, u, g.sigma)
	return u, []uint64{a.ID}
}

// mutate changes a share of the genes, and at least one.
func (g *genome) mutate(rng *rand.Rand, u []float64, sigma float64) {
	forced := rng.IntN(len(u))
	for i := range u {
		if rng.Float64() < g.gene || i == forced {
			u[i] = bounce(u[i] + sigma*rng.NormFloat64())
		}
	}
}

// moved is where member k goes, and how fast.
func (g *genome) moved(p *population, rng *rand.Rand, k int) (u, velocity []float64) {
	top := best(p.members, 1)[0]
	x := p.members[k].Genome
	r := [4]float64{rng.Float64() * inertia, rng.Float64() * cognitive, rng.Float64() * social, rng.Float64() * repel}
	c := r[0] + r[1] + r[2] + r[3] + 1e-12
	u, velocity = make([]float64, p.n), make([]float64, p.n)
	own := top
	v := make([]float64, p.n)
	if k < len(g.flights) {
		own, v = g.flights[k].own, g.flights[k].velocity
	}
	for i := range u {
		bad := x[i]
		if g.worst != nil {
			bad = g.worst[i]
		}
		velocity[i] = (r[0]*v[i] + r[1]*(own.Genome[i]-x[i]) + r[2]*(top.Genome[i]-x[i]) - r[3]*(bad-x[i])) / c
		u[i] = bounce(x[i] + g.lambda*velocity[i])
	}
	return u, velocity
}

func (g *genome) survive(p *population, told []Scored[[]float64]) []Scored[[]float64] {
	rng := Draws(p.seed, mix(p.first))
	if !g.swarm {
		pool := append(slices.Clone(p.members), told...)
		return selectTournament(rng, pool, int(g.elite*float64(g.size)), g.size)
	}
	// Who moved is where it moved to; its best stays remembered.
	at := map[uint64]flight{}
	if p.generation > 0 {
		for k := range p.members {
			_, v := g.moved(p, Draws(p.seed, told[k].ID), k)
			f := flight{velocity: v, own: told[k]}
			if k < len(g.flights) && Better(g.flights[k].own, told[k]) {
				f.own = g.flights[k].own
			}
			at[told[k].ID] = f
		}
		g.lambda *= flightDecay
	}
	pool := append(best(p.members, 1), told...)
	if p.generation == 0 {
		pool = told
	}
	ranked := best(pool, len(pool))
	g.worst = slices.Clone(ranked[len(ranked)-1].Genome)
	members := selectTournament(rng, pool, int(g.elite*float64(g.size)), g.size)
	g.flights = nil
	for _, m := range members {
		f, ok := at[m.ID]
		if !ok {
			f = flight{velocity: make([]float64, p.n), own: m}
		}
		f.own.Items, f.own.Parents = nil, nil
		g.flights = append(g.flights, f)
	}
	return members
}

func (g *genome) state(f fields, p *population) {
	f.bool("swarm", &g.swarm)
	f.int("size", &g.size, 1, maxPopulation)
	f.within("crossover", &g.crossover, 0, 1)
	f.word("combine", &g.combine, "linear", "blx")
	f.within("gene", &g.gene, 0, 1)
	f.within("elite", &g.elite, 0, 1)
	f.within("sigma", &g.sigma, 0, 1)
	f.within("lambda", &g.lambda, 0, 1)
	has := g.worst != nil
	if f.bool("worst known", &has); has {
		f.unit("worst", &g.worst, p.n)
	}
	count := len(g.flights)
	f.count("flights", &count, len(p.members), 16*p.n)
	if f.reading() {
		g.flights = nil
		if count > 0 {
			g.flights = make([]flight, count)
		}
	}
	for i := 0; i < count && f.ok(); i++ {
		f.vector("velocity", &g.flights[i].velocity, p.n)
		own := []Scored[[]float64]{g.flights[i].own}
		f.scored("own best", &own, p.n, 1)
		if f.reading() && f.ok() {
			if len(own) != 1 {
				f.fail("a member has no best")
				return
			}
			g.flights[i].own = own[0]
		}
	}
}
