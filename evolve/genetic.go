package evolve

import (
	"math"
	"math/rand/v2"
)

// bounce folds a coordinate that a mutation has taken out of the unit interval back
// into it.
func bounce(u float64) float64 {
	u = math.Mod(math.Abs(u), 2)
	if u > 1 {
		u = 2 - u
	}
	return u
}

// proportional draws a member by weight: its rank from below, which unlike fitness is
// never negative, and is not moved by an outlier. Failed members have none.
func (p *population) proportional(rng *rand.Rand) int {
	order := make([]int, len(p.members))
	ranked := best(p.members, len(p.members))
	place := map[uint64]int{}
	for i, s := range ranked {
		place[s.ID] = len(ranked) - i
		if s.Failed() {
			place[s.ID] = 0
		}
	}
	total := 0
	for i, s := range p.members {
		total += place[s.ID]
		order[i] = total
	}
	if total == 0 {
		return rng.IntN(len(p.members))
	}
	x := rng.IntN(total)
	for i, sum := range order {
		if x < sum {
			return i
		}
	}
	return len(order) - 1
}

// weight is a member's share in a mean with another.
func weight(a, b Scored[[]float64]) float64 {
	switch {
	case a.Failed() || math.IsInf(a.Value, -1):
		return 0.5
	case a.Value > 0 && b.Value > 0 && !math.IsInf(a.Value+b.Value, 0):
		return a.Value / (a.Value + b.Value) // the paper's, for scores that are positive
	case Better(a, b):
		return 2. / 3
	}
	return 1. / 3
}

// selectTournament is the elite and then winners of tournaments of three, without
// replacement.
func selectTournament(rng *rand.Rand, pool []Scored[[]float64], elite, size int) []Scored[[]float64] {
	ranked := best(pool, len(pool))
	elite = max(1, min(elite, size, len(ranked)))
	out, rest := ranked[:elite:elite], append([]Scored[[]float64](nil), ranked[elite:]...)
	for len(out) < size && len(rest) > 0 {
		won := rng.IntN(len(rest)) // of ranked ones the first is the best
		for range 2 {
			won = min(won, rng.IntN(len(rest)))
		}
		out = append(out, rest[won])
		rest = append(rest[:won], rest[won+1:]...)
	}
	return out
}
