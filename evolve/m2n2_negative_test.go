package evolve_test

import (
	"strings"
	"testing"

	"github.com/mergevo/mergevo/evolve"
)

// Scores below 0, such as log-likelihoods, are shared out above the archive's worst: the
// members that are kept are better than those that were bred at first.
func TestM2N2OfNegativeScores(t *testing.T) {
	row, ok := evolve.LookupOptimizer("m2n2")
	if !ok {
		t.Fatal("no m2n2")
	}
	box := make(evolve.Box, 4)
	for i := range box {
		box[i] = evolve.Gene{Name: string(rune('a' + i)), Lo: 0, Hi: 1, Start: 0.5}
	}
	score := func(x []float64) evolve.Score {
		var s evolve.Score
		for _, v := range x {
			s.Items = append(s.Items, float32(-(v-0.7)*(v-0.7)))
			s.Value -= (v - 0.7) * (v - 0.7) / float64(len(x))
		}
		return s
	}
	m, err := row.New(box, evolve.Settings{Seed: 1, Evaluations: 400, Negative: true, Options: map[string]string{"archive": "10"}})
	if err != nil {
		t.Fatal(err)
	}
	var first, last float64
	const generations = 50
	for g := range generations {
		pop, err := m.Ask(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var told []evolve.Scored[[]float64]
		mean := 0.0
		for _, c := range pop {
			s := score(c.Genome)
			told = append(told, evolve.Scored[[]float64]{Candidate: c, Score: s})
			mean += s.Value / float64(len(pop))
		}
		if err := m.Tell(told); err != nil {
			t.Fatal(err)
		}
		if g < 5 {
			first += mean / 5
		}
		if g >= generations-5 {
			last += mean / 5
		}
	}
	if last < first/4 {
		t.Errorf("children score %g at first and %g at the end", first, last)
	}

	_, err = row.New(box, evolve.Settings{Negative: true, Options: map[string]string{"shift": "off"}})
	if err == nil || !strings.Contains(err.Error(), "at least 0") {
		t.Errorf("shift: off gives %v", err)
	}
}
