package runs_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/runs"
)

// A search which is stored as it goes, and continued with a larger budget.
func Example() {
	root, err := os.MkdirTemp("", "runs")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(root)
	dir, err := runs.NextDir(root, "examples/two.yaml")
	if err != nil {
		log.Fatal(err)
	}
	r, err := runs.Create(dir, runs.Manifest{RecipePath: "examples/two.yaml", Genes: []string{"left", "right"}})
	if err != nil {
		log.Fatal(err)
	}
	search(r, 30)
	r.Close()

	if r, err = runs.Open(dir); err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	search(r, 300)
	best, err := r.Best(1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: best %.3f\n", filepath.Base(dir), best[0].Genome)
	// Output:
	// 0 candidates known, 30 in the end
	// 30 candidates known, 300 in the end
	// two-1: best [0.300 0.600]
}

// search is what both a new run and a resumed one do.
func search(r *runs.Run, evaluations int) {
	box := evolve.Box{
		{Name: "left", Lo: 0, Hi: 1, Start: 0.5},
		{Name: "right", Lo: 0, Hi: 1, Start: 0.5},
	}
	cma, err := evolve.NewCMA(box, evolve.CMAOptions{Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	state, from, known, err := r.Resume()
	if err == nil && state != nil {
		err = cma.UnmarshalBinary(state)
	}
	if err != nil {
		log.Fatal(err)
	}
	score := func(_ context.Context, pop []evolve.Candidate[[]float64]) ([]evolve.Score, error) {
		scores := make([]evolve.Score, len(pop))
		for i, c := range pop {
			v := box.Values(c.Genome)
			scores[i].Value = -(v[0]-0.3)*(v[0]-0.3) - (v[1]-0.6)*(v[1]-0.6)
		}
		return scores, nil
	}
	count := 0
	for e, err := range evolve.Run(context.Background(), cma, score, evolve.Budget{Evaluations: evaluations}, from) {
		if err != nil {
			log.Fatal(err)
		}
		count = e.Evaluations
		if e.Kind != evolve.Generation {
			continue
		}
		g := runs.Generation{Index: e.Generations, Told: e.Told}
		if e.Told {
			if g.State, err = e.Optimizer.MarshalBinary(); err != nil {
				log.Fatal(err)
			}
		} else {
			g.Index++
		}
		for _, s := range e.Scored {
			g.Candidates = append(g.Candidates, runs.Record{Scored: s})
		}
		if err := r.Append(g); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Printf("%d candidates known, %d in the end\n", from.Evaluations+len(known), count)
}
