package evolve

import "math"

// niches are members of an archive, with what each takes of the examples: those of
// M2N2 (Abrantes, Lange and Tang 2025, Competition and Attraction Improve Model
// Fusion, arXiv:2508.16204). An example is a resource that all share who score on it.
type niches struct {
	alpha   float64 // 0: no competition; 1: shared out; above: crowds waste it
	epsilon float64 // added to the examples' sums
	shift   bool    // the worst score on an example counts as 0
}

// shares returns what each member takes of each example, c·s/(z^alpha + epsilon) with
// z the sum and c the best of all scores on it (equations 3 and 5): rows as scores,
// which are one row a member. Where nobody scores nothing is taken.
func (n niches) shares(scores [][]float32) [][]float64 {
	if len(scores) == 0 {
		return nil
	}
	out := newRows(len(scores), len(scores[0]))
	for j := range scores[0] {
		low, best, sum := 0.0, 0.0, 0.0
		if n.shift {
			low = math.Inf(1)
			for _, s := range scores {
				low = math.Min(low, float64(s[j]))
			}
		}
		for _, s := range scores {
			v := float64(s[j]) - low
			best = math.Max(best, v)
			sum += v
		}
		if !(sum > 0) {
			continue
		}
		crowd := 1.0 // 0⁰ is not asked for, and pow(z, 1) is z
		if n.alpha != 0 {
			crowd = math.Pow(sum, n.alpha)
		}
		for i, s := range scores {
			out[i][j] = (float64(s[j]) - low) * best / (crowd + n.epsilon)
		}
	}
	return out
}

// totals are what each member takes in all.
func totals(shares [][]float64) []float64 {
	out := make([]float64, len(shares))
	for i, row := range shares {
		for _, v := range row {
			out[i] += v
		}
	}
	return out
}

// attraction is how much each member would take where a takes less (equation 4, with
// the denominator of the shares, as in the authors' program): 0 of a itself.
func attraction(shares [][]float64, a int) []float64 {
	out := make([]float64, len(shares))
	for i, row := range shares {
		for j, v := range row {
			out[i] += math.Max(0, v-shares[a][j])
		}
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
