package evolve

import (
	"math"
	"slices"
)

// niches are the rules by which members of an archive share the examples: those of M2N2
// (Abrantes, Lange and Tang 2025, Competition and Attraction Improve Model
// Fusion, arXiv:2508.16204). An example is a resource that all share who score on it.
type niches struct {
	alpha   float64 // 0: no competition; 1: shared out; above: crowds waste it
	epsilon float64 // added to the examples' sums
	shift   bool    // the worst score on an example counts as 0
}

// market is what an archive's members score, and what each example pays for it.
type market struct {
	scores  [][]float32 // a row a member; of at least 0
	prices  []float64   // an example: c/(z^alpha + epsilon), z the sum and c the best of the scores on it
	fitness []float64   // what each member takes in all
}

// open returns the market of rows of scores: a member takes s·c/(z^alpha + epsilon) of
// each example (equations 3 and 5). Where nobody scores nothing is paid.
func (n niches) open(scores [][]float32) market {
	if len(scores) == 0 {
		return market{}
	}
	if n.shift {
		scores = shifted(scores)
	}
	sums, best := make([]float64, len(scores[0])), make([]float32, len(scores[0]))
	for _, row := range scores {
		for j, v := range row {
			sums[j] += float64(v)
			if v > best[j] {
				best[j] = v
			}
		}
	}
	for j, z := range sums {
		switch {
		case !(z > 0):
			sums[j] = 0
			continue
		case n.alpha == 0:
			z = 1
		case n.alpha != 1:
			z = math.Pow(z, n.alpha)
		}
		sums[j] = float64(best[j]) / (z + n.epsilon)
	}
	m := market{scores: scores, prices: sums, fitness: make([]float64, len(scores))}
	for i, row := range scores {
		sum := 0.0
		for j, price := range m.prices {
			sum += price * float64(row[j])
		}
		m.fitness[i] = sum
	}
	return m
}

// shifted are the scores above the worst on each example.
func shifted(scores [][]float32) [][]float32 {
	low := slices.Clone(scores[0])
	for _, row := range scores[1:] {
		for j, v := range row {
			low[j] = min(low[j], v)
		}
	}
	out := make([][]float32, len(scores))
	for i, row := range scores {
		out[i] = slices.Clone(row)
		for j := range out[i] {
			out[i][j] -= low[j]
		}
	}
	return out
}

// worst is the place of the least fit, the first among equals: who came last displaces
// its equals.
func (m market) worst() int { return slices.Index(m.fitness, slices.Min(m.fitness)) }

// attraction is how much each member would take where a takes less (equation 4, with
// the denominator of the fitness, as in the authors' program): 0 of a itself.
func (m market) attraction(a int) []float64 {
	out := make([]float64, len(m.scores))
	less := m.scores[a]
	for i, row := range m.scores {
		sum := 0.0
		for j, price := range m.prices {
			sum += price * float64(max(0, row[j]-less[j]))
		}
		out[i] = sum
	}
	return out
}

// pick is where u of [0, 1) falls among weights, none of which is negative; -1 if all
// are 0.
func pick(weights []float64, u float64) int {
	total := 0.0
	for _, w := range weights {
		total += w
	}
	last, sum := -1, 0.0
	for i, w := range weights {
		if !(w > 0) {
			continue
		}
		last = i
		if sum += w; u*total < sum {
			return i
		}
	}
	return last
}
