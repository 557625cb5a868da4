package evolve_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mergevo/mergevo/evolve"
)

func TestRank(t *testing.T) {
	failed := errors.New("failed")
	want := []evolve.Scored[string]{ // best first
		{Candidate: evolve.Candidate[string]{ID: 9, Genome: "infinite"}, Score: evolve.Score{Value: math.Inf(1)}},
		{Candidate: evolve.Candidate[string]{ID: 7, Genome: "best tie"}, Score: evolve.Score{Value: 1, Tie: -0.5}},
		{Candidate: evolve.Candidate[string]{ID: 2, Genome: "older"}, Score: evolve.Score{Value: 1, Tie: -2}},
		{Candidate: evolve.Candidate[string]{ID: 3, Genome: "younger"}, Score: evolve.Score{Value: 1, Tie: -2}},
		{Candidate: evolve.Candidate[string]{ID: 4, Genome: "tie -Inf"}, Score: evolve.Score{Value: 1, Tie: math.Inf(-1)}},
		{Candidate: evolve.Candidate[string]{ID: 5, Genome: "tie NaN"}, Score: evolve.Score{Value: 1, Tie: math.NaN()}},
		{Candidate: evolve.Candidate[string]{ID: 6, Genome: "worst"}, Score: evolve.Score{Value: math.Inf(-1)}},
		{Candidate: evolve.Candidate[string]{ID: 1, Genome: "NaN"}, Score: evolve.Score{Value: math.NaN()}},
		{Candidate: evolve.Candidate[string]{ID: 8, Genome: "failed"}, Score: evolve.Score{Value: 5, Err: failed}},
	}
	names := func(s []evolve.Scored[string]) (out []string) {
		for _, c := range s {
			out = append(out, c.Genome)
		}
		return out
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		got := append([]evolve.Scored[string](nil), want...)
		rng.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
		evolve.Rank(got)
		if d := cmp.Diff(names(want), names(got)); d != "" {
			t.Fatalf("rank (-want +got):\n%s", d)
		}
	}
	for i := range want {
		for j := range want {
			if got := evolve.Better(want[i], want[j]); got != (i < j) {
				t.Errorf("Better(%s, %s) = %v", want[i].Genome, want[j].Genome, got)
			}
		}
	}
}
