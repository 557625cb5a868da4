package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/mergevo/mergevo/evolve"
)

//go:embed overhead.py
var overheadScript string

// overheads are how many generations are timed in how many dimensions.
var overheads = []struct{ n, generations int }{{10, 3000}, {100, 1000}, {1000, 64}}

// cost is what an optimizer itself takes for a generation: Ask and Tell, without the
// function.
type cost struct{ Median, Mean float64 } // milliseconds

// measureOverhead times ours and pycma's in turns, three rounds of each.
func measureOverhead(ctx context.Context, t task, out io.Writer) error {
	fmt.Fprintln(out, "| n | candidates | ours, ms a generation (median, mean) | pycma | ours / pycma (median, mean) |\n|---:|---:|---:|---:|---:|")
	for _, o := range overheads {
		ours, theirs := []cost{}, []cost{}
		population := 0
		for range 3 {
			c, p, err := t.timeOurs(ctx, o.n, o.generations)
			if err != nil {
				return err
			}
			ours, population = append(ours, c), p
			if t.pycma == "" {
				continue
			}
			if c, err = t.timePycma(ctx, o.n, o.generations); err != nil {
				return err
			}
			theirs = append(theirs, c)
		}
		us, them := best(ours), best(theirs)
		fmt.Fprintf(out, "| %d | %d | %.3f, %.3f | %.3f, %.3f | %.2f, %.2f |\n", o.n, population,
			us.Median, us.Mean, them.Median, them.Mean, us.Median/them.Median, us.Mean/them.Mean)
	}
	return nil
}

// best is the least of the rounds: what is above it is the machine's noise.
func best(list []cost) cost {
	if len(list) == 0 {
		return cost{}
	}
	b := list[0]
	for _, c := range list {
		b.Median, b.Mean = min(b.Median, c.Median), min(b.Mean, c.Mean)
	}
	return b
}

func (t task) timeOurs(ctx context.Context, n, generations int) (cost, int, error) {
	a, ok := evolve.LookupOptimizer(t.optimizer)
	if !ok {
		return cost{}, 0, fmt.Errorf("no optimizer %q: see --list", t.optimizer)
	}
	box, s := make(evolve.Box, n), t.settings
	start := make([]float64, n)
	for i := range box {
		start[i] = 3
		box[i] = evolve.Gene{Name: fmt.Sprint("x", i), Lo: -5, Hi: 5, Start: 3}
	}
	if s.Seed = 1; a.Free {
		s.Free, s.Sigma, s.Start = true, 2, start
	}
	o, err := a.New(box, s)
	if err != nil {
		return cost{}, 0, err
	}
	var took []float64
	population := 0
	for range generations {
		began := time.Now()
		pop, err := o.Ask(ctx)
		if err != nil {
			return cost{}, 0, err
		}
		asked := time.Since(began)
		told := make([]evolve.Scored[[]float64], len(pop))
		for i, c := range pop {
			told[i].Candidate, told[i].Value = c, -squares(c.Genome)
		}
		population = len(pop)
		began = time.Now()
		if err := o.Tell(told); err != nil {
			return cost{}, 0, err
		}
		o.Stop()
		took = append(took, (asked+time.Since(began)).Seconds()*1000)
	}
	sum := 0.0
	for _, x := range took {
		sum += x
	}
	slices.Sort(took)
	return cost{quantile(took, 0.5), sum / float64(len(took))}, population, nil
}

func (t task) timePycma(ctx context.Context, n, generations int) (c cost, err error) {
	diagonal := "0"
	switch t.optimizer {
	case evolve.DefaultOptimizer:
		diagonal = "1"
	case "sep-cmaes":
		diagonal = "2"
	}
	command := exec.CommandContext(ctx, t.pycma, "-c", overheadScript, fmt.Sprint(n), fmt.Sprint(generations), diagonal)
	command.Stderr = os.Stderr
	text, err := command.Output()
	if err != nil {
		return c, fmt.Errorf("pycma: %w", err)
	}
	return c, json.Unmarshal(text, &c)
}
