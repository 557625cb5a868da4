package evolve

import (
	"math"
	"testing"
)

func TestDiversity(t *testing.T) {
	for name, c := range map[string]struct {
		scores [][]float32
		want   Diversity
	}{
		"none":       {nil, Diversity{}},
		"one":        {[][]float32{{1, 0, 1, 1}}, Diversity{Coverage: 0.75}},
		"alike":      {[][]float32{{1, 0}, {1, 0}}, Diversity{Coverage: 0.5}},
		"halves":     {[][]float32{{1, 1, 0, 0}, {0, 0, 1, 1}}, Diversity{Coverage: 1, Entropy: 1, Distance: 1}},
		"one of two": {[][]float32{{1, 1}, {1, 0}}, Diversity{Coverage: 1, Entropy: 0.5, Distance: 0.5}},
		"continuous": {[][]float32{{0.5}, {0.25}, {0}}, Diversity{Coverage: 1, Entropy: entropy(0.25), Distance: (0.25 + 0.5 + 0.25) / 3}},
	} {
		got := DiversityOf(c.scores)
		for i, pair := range [][2]float64{{got.Coverage, c.want.Coverage}, {got.Entropy, c.want.Entropy}, {got.Distance, c.want.Distance}} {
			if math.Abs(pair[0]-pair[1]) > 1e-12 {
				t.Errorf("%s, number %d: %v, want %v", name, i, pair[0], pair[1])
			}
		}
	}
}

func entropy(p float64) float64 { return -p*math.Log2(p) - (1-p)*math.Log2(1-p) }
