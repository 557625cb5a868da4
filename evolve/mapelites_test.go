package evolve_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/mergevo/mergevo/evolve"
)

// The sphere with linear projection (Fontaine et al. 2020), in 20 dimensions on a grid of
// 50 x 50: as good as ribs 0.12 is with the same 54,000 evaluations, whose medians are of
// five runs.
func TestQualityDiversity(t *testing.T) {
	if testing.Short() {
		t.Skip("many evaluations")
	}
	text, err := os.ReadFile("testdata/qd.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		QD struct {
			Algs map[string]struct{ Median []float64 }
		} `json:"qd_sphere_lp"`
	}
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	const n, evaluations, limit, shift = 20, 54000, 5.12, 5.12 * 0.4
	f := func(x []float64) evolve.Score {
		s, worst := 0.0, 0.0
		d := make([]float64, 2)
		for i, v := range x {
			s += (v - shift) * (v - shift)
			worst += (limit + shift) * (limit + shift)
			d[2*i/n] += v
		}
		for i := range d { // the projection's range is that of its ten coordinates
			d[i] = (d[i]/(n/2*limit) + 1) / 2
		}
		return evolve.Score{Value: 100 * (worst - s) / worst, Descriptors: d}
	}
	for _, c := range []struct{ row, ribs, variation string }{
		{"map-elites", "map_elites", "iso"}, {"map-elites", "line_map_elites", "iso-line"}, {"cma-me", "cma_me_imp", ""}, {"cma-mae", "cma_mae", ""},
	} {
		t.Run(c.ribs, func(t *testing.T) {
			t.Parallel()
			a, _ := evolve.LookupOptimizer(c.row)
			box := wide(n, 0, 2*limit)
			options := map[string]string{"cells": "50"}
			if c.variation != "" {
				options["variation"] = c.variation
			}
			sigma := 0.5 / (2 * limit) // ribs' first step size, and its noise
			if c.variation != "" {
				sigma *= 5
			}
			o, err := a.New(box, evolve.Settings{Seed: 1, Population: 180, Sigma: sigma, Options: options})
			if err != nil {
				t.Fatal(err)
			}
			for range evaluations / 180 {
				pop, err := o.Ask(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				told := make([]evolve.Scored[[]float64], len(pop))
				for i, p := range pop {
					told[i] = evolve.Scored[[]float64]{Candidate: p, Score: f(box.Values(p.Genome))}
				}
				if err := o.Tell(told); err != nil {
					t.Fatal(err)
				}
			}
			s := o.(evolve.Archived[[]float64]).Archive().Stats()
			want := g.QD.Algs[c.ribs].Median
			t.Logf("QD score %.0f, ribs %.0f; coverage %.3f, ribs %.3f; best %.2f, ribs %.2f", s.QDScore, want[0], s.Coverage, want[1], s.Best, want[2])
			if s.QDScore < 0.95*want[0] || math.Abs(s.Best-want[2]) > 2 {
				t.Error("ribs finds more")
			}
		})
	}
}
