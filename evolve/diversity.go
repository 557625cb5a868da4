package evolve

import "math"

// Diversity says how much the members of an archive differ in what they know.
type Diversity struct {
	// Coverage is the share of examples on which some member scores at all.
	Coverage float64 `json:"coverage"`

	// Entropy is how undecided an example is between members that score and such that
	// do not, in bits, averaged over the examples: 0 if all score alike, at most 1.
	Entropy float64 `json:"entropy"`

	// Distance is by how much two members' scores of an example differ, averaged over
	// pairs and examples.
	Distance float64 `json:"distance"`
}

// DiversityOf is of scores by member and example. Scores outside [0, 1] count as the
// nearer bound in the entropy.
func DiversityOf(scores [][]float32) Diversity {
	var d Diversity
	if len(scores) == 0 || len(scores[0]) == 0 {
		return d
	}
	n, width := float64(len(scores)), float64(len(scores[0]))
	for j := range scores[0] {
		p, known := 0.0, false
		for i := range scores {
			x := float64(scores[i][j])
			p += math.Max(0, math.Min(1, x)) / n
			known = known || x > 0
			for k := range i {
				d.Distance += math.Abs(x-float64(scores[k][j])) / (n * (n - 1) / 2) / width
			}
		}
		if known {
			d.Coverage += 1 / width
		}
		for _, q := range [2]float64{p, 1 - p} {
			if q > 0 {
				d.Entropy -= q * math.Log2(q) / width
			}
		}
	}
	return d
}
