package evolve

import (
	"context"
	"fmt"
	"math"
	"slices"
)

var _ = row(Algorithm{
	Name:       "evollm",
	Doc:        "A language model proposes the next mean from the history of the search; candidates are drawn around it.",
	Use:        "curiosity, or a language model that knows what the numbers mean: cmaes needs no server and fewer evaluations",
	Cite:       "Lange, Tian and Tang 2024, Large Language Models As Evolution Strategies, arXiv:2402.18381",
	Population: "4 + floor(3 ln n)",
	Proposer:   true,
	Options: []Option{
		{Name: "model", Text: true, Doc: "its name at the endpoint; empty for the endpoint's own"},
		{Name: "levels", Default: "1000", Min: 10, Max: 1e6, Int: true, Doc: "values that a coordinate has in the prompt"},
		{Name: "generations", Default: "6", Min: 1, Max: 100, Int: true, Doc: "how many of the best generations the prompt shows"},
		{Name: "members", Default: "5", Min: 1, Max: 100, Int: true, Doc: "how many of the best candidates of each"},
		{Name: "block", Default: "16", Min: 1, Max: 256, Int: true, Doc: "coordinates in one prompt; more are asked for in turn"},
		{Name: "timeout", Default: "120", Min: 1, Max: 86400, Doc: "seconds that an answer may take; it is asked for three times"},
		{Name: "tokens", Default: "1000000", Min: 0, Max: 1e12, Int: true, Doc: "stop when so many are used"},
	},
	New: func(box Box, o Settings) (Optimizer[[]float64], error) {
		set(&o.Population, defaultPopulation(len(box)))
		e := &EvoLLM{proposer: o.Proposer, seed: o.Seed, population: o.Population, sigma: o.Sigma,
			levels: o.whole("levels"), generations: o.whole("generations"), members: o.whole("members"),
			block: o.whole("block"), budget: o.whole("tokens"), mean: box.Start(), asked: asked{first: 1}}
		if o.Start != nil {
			e.mean = slices.Clone(o.Start)
		}
		e.ready = true // the first mean is the start
		return e, nil
	},
})

// EvoLLM is an evolution strategy whose mean a language model moves. What cannot be
// read of an answer is replaced by the best candidate so far.
type EvoLLM struct {
	proposer                                    Proposer
	seed                                        uint64
	population                                  int
	sigma                                       float64
	levels, generations, members, block, budget int

	mean  []float64
	ready bool // mean is this generation's

	history  []toldGeneration // the best generations, worst first
	best     *Scored[[]float64]
	improved bool // by the last generation
	tokens   int
	failures int // answers in a row that were none
	asked
}

// toldGeneration is what the prompt shows of a generation: its best members, best first.
type toldGeneration struct{ members []Scored[[]float64] }

// patience is how many answers in a row may be unusable before the search stops.
const proposerPatience = 10

// Ask implements Optimizer. The error is the proposer's if it has never answered.
func (e *EvoLLM) Ask(ctx context.Context) ([]Candidate[[]float64], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !e.ready {
		if err := e.propose(ctx); err != nil {
			return nil, err
		}
	}
	e.out = true
	pop := make([]Candidate[[]float64], e.population)
	for k := range pop {
		id := e.first + uint64(k)
		u := slices.Clone(e.mean)
		if k > 0 { // the proposal itself comes first
			rng := Draws(e.seed, id)
			for i := range u {
				u[i] = unitBounds.fold(unitBounds.unfold(u[i]) + e.step()*rng.NormFloat64())
			}
		}
		pop[k] = Candidate[[]float64]{ID: id, Genome: u}
	}
	return pop, nil
}

// step is the standard deviation around the mean: small after an improvement, as in
// the paper's variant for merges (LLM-Evo-Merge).
func (e *EvoLLM) step() float64 {
	if e.improved {
		return e.sigma / 4
	}
	return e.sigma
}

// propose sets the mean, block by block. An answer that is none leaves a block at the
// best candidate.
func (e *EvoLLM) propose(ctx context.Context) error {
	mean := slices.Clone(e.mean)
	if e.best != nil {
		copy(mean, e.best.Genome)
	}
	for from := 0; from < len(mean); from += e.block {
		to := min(from+e.block, len(mean))
		answer, tokens, err := e.proposer(ctx, e.prompt(from, to))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		e.tokens += max(0, tokens)
		var levels []int
		if err == nil {
			levels, err = readLevels(answer, to-from, e.levels)
		} else if e.tokens == 0 {
			return fmt.Errorf("the language model: %w", err)
		}
		if err != nil {
			e.failures++
			continue
		}
		e.failures = 0
		for i, l := range levels {
			mean[from+i] = float64(l) / float64(e.levels)
		}
	}
	e.mean, e.ready = mean, true
	return nil
}

// Tell implements Optimizer.
func (e *EvoLLM) Tell(told []Scored[[]float64]) error {
	if err := match(e.asked, e.population, told); err != nil {
		return err
	}
	ranked := slices.Clone(told)
	Rank(ranked)
	ranked = slices.DeleteFunc(ranked, func(s Scored[[]float64]) bool { return s.Failed() || math.IsInf(s.Value, 0) })
	e.improved = false
	if len(ranked) > 0 {
		if e.best == nil || Better(ranked[0], *e.best) {
			best := ranked[0]
			best.Genome, best.Items = slices.Clone(best.Genome), nil
			e.best, e.improved = &best, true
		}
		e.remember(ranked[:min(len(ranked), e.members)])
	}
	e.asked = asked{first: e.first + uint64(len(told))}
	e.ready = false
	return nil
}

// remember keeps the best generations, by their best members, worst first.
func (e *EvoLLM) remember(members []Scored[[]float64]) {
	g := toldGeneration{}
	for _, m := range members {
		g.members = append(g.members, Scored[[]float64]{
			Candidate: Candidate[[]float64]{ID: m.ID, Genome: slices.Clone(m.Genome)}, Score: Score{Value: m.Value, Tie: m.Tie}})
	}
	e.history = append(e.history, g)
	slices.SortStableFunc(e.history, func(a, b toldGeneration) int { return Compare(b.members[0], a.members[0]) })
	if len(e.history) > e.generations {
		e.history = e.history[1:]
	}
}

// Stop implements Optimizer: "tokens" when they are used up, "answers" when the last
// ones could not be used.
func (e *EvoLLM) Stop() string {
	switch {
	case e.tokens >= e.budget:
		return "tokens"
	case e.failures >= proposerPatience:
		return "answers"
	}
	return ""
}

// Center implements Centered: the proposal.
func (e *EvoLLM) Center() ([]float64, bool) { return slices.Clone(e.mean), e.first > 1 && e.ready }

const (
	evoLLMKind    = "evolve/evollm"
	evoLLMVersion = 1
)

// MarshalBinary implements Optimizer.
func (e *EvoLLM) MarshalBinary() ([]byte, error) {
	return marshal(evoLLMKind, evoLLMVersion, func(f fields) { e.state(f, 0) })
}

// UnmarshalBinary implements Optimizer. The proposer stays the receiver's.
func (e *EvoLLM) UnmarshalBinary(data []byte) error {
	s := EvoLLM{proposer: e.proposer}
	if err := unmarshal(data, evoLLMKind, evoLLMVersion, func(f fields) { s.state(f, len(e.mean)) }); err != nil {
		return err
	}
	*e = s
	return nil
}

func (e *EvoLLM) state(f fields, n int) {
	genes := len(e.mean)
	f.genes(&genes, n)
	f.uint(&e.seed)
	f.int("population", &e.population, 1, maxPopulation)
	f.within("sigma", &e.sigma, 0, 1)
	f.int("levels", &e.levels, 1, 1<<30)
	f.int("generations", &e.generations, 1, 1<<20)
	f.int("members", &e.members, 1, 1<<20)
	f.int("block", &e.block, 1, 1<<20)
	f.int("budget", &e.budget, 0, math.MaxInt)
	f.unit("mean", &e.mean, genes)
	f.bool("ready", &e.ready)
	f.bool("improved", &e.improved)
	f.int("tokens", &e.tokens, 0, math.MaxInt/2)
	f.int("failures", &e.failures, 0, math.MaxInt/2)
	f.asked(&e.asked)
	count := len(e.history)
	f.count("generations shown", &count, e.generations, 8)
	if f.reading() {
		e.history = make([]toldGeneration, count)
	}
	for i := range e.history {
		f.scored("members", &e.history[i].members, genes, e.members)
		if f.reading() && f.ok() && len(e.history[i].members) == 0 {
			f.fail("a generation has no members")
		}
		if !f.ok() {
			return
		}
	}
	var best []Scored[[]float64]
	if e.best != nil {
		best = append(best, *e.best)
	}
	f.scored("best", &best, genes, 1)
	if f.reading() && len(best) == 1 {
		e.best = &best[0]
	}
}
