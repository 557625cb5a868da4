package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/merge/niche"
)

// variant is one of the curves of the paper's figure.
type variant struct {
	name        string
	evaluations int
	traced      bool // with points
	options     evolve.M2N2Options
	crossing    niche.Crossing
	scratch     bool
}

var variants = map[string]variant{
	"m2n2":          {evaluations: 10000, options: evolve.M2N2Reference(), crossing: niche.Crossing{Split: true}},
	"no-attraction": {evaluations: 10000, options: noAttraction(1), crossing: niche.Crossing{Split: true}},
	"no-split":      {evaluations: 10000, options: evolve.M2N2Reference()},
	"ga":            {evaluations: 10000, options: noAttraction(0), crossing: niche.Crossing{Split: true}},
	"scratch":       {evaluations: 50000, options: evolve.M2N2Reference(), crossing: niche.Crossing{Split: true}, scratch: true},
}

func noAttraction(alpha float64) evolve.M2N2Options {
	o := evolve.M2N2Reference()
	o.Attraction, o.Alpha = false, alpha
	return o
}

// scratchSigma is the standard deviation of first weights and of mutations.
const scratchSigma = 0.01

func (v variant) run(ctx context.Context, e *exam, d *digits, seed uint64) (line, error) {
	v.options.Seed = seed
	v.crossing.Chromosomes = []int64{weights}
	if v.scratch {
		b := niche.Scratch(v.crossing, seed, weights, 2, scratchSigma)
		return search(ctx, v, b, e, func(dst []float32, g []float32) { copy(dst, g) })
	}
	gram, err := d.gram()
	if err != nil {
		return line{}, err
	}
	b := niche.Mixes{Crossing: v.crossing, Gram: gram}
	return search(ctx, v, b, e, func(dst []float32, g niche.Segments) { g.Materialize(dst, d.seeds) })
}

// search runs M2N2 with the breeder, and examines who is best on the training digits.
func search[G any](ctx context.Context, v variant, b evolve.Breeder[G], e *exam, make func(dst []float32, g G)) (line, error) {
	began := time.Now()
	m, err := evolve.NewM2N2(b, v.options)
	if err != nil {
		return line{}, err
	}
	l := line{Variant: v.name, Seed: v.options.Seed}
	objective := func(_ context.Context, pop []evolve.Candidate[G]) ([]evolve.Score, error) {
		for i, c := range pop {
			make(e.weights(i), c.Genome)
		}
		return e.scores(len(pop))
	}
	look := func(at int) (err error) {
		members := m.Members()
		if len(members) == 0 {
			return fmt.Errorf("seed %d: no candidate could be scored", l.Seed)
		}
		best := slices.MinFunc(members, evolve.Compare)
		make(e.weights(0), best.Genome)
		test, err := e.test()
		d := m.Diversity()
		l.Train, l.Test, l.Coverage = 100*best.Value, 100*test, 100*d.Coverage
		if v.traced {
			l.Points = append(l.Points, point{at, l.Test, l.Coverage, d.Entropy, d.Distance})
		}
		return err
	}
	stops := []int{v.evaluations}
	if v.traced {
		stops = marks(v.evaluations)
	}
	for event, err := range evolve.Run(ctx, m, objective, evolve.Budget{Evaluations: v.evaluations}, evolve.Progress[G]{}) {
		if err != nil {
			return line{}, err
		}
		if event.Kind == evolve.Stopped {
			l.Seconds = time.Since(began).Seconds()
		}
		if len(stops) > 0 && event.Evaluations >= stops[0] && event.Kind != evolve.Started {
			if err := look(stops[0]); err != nil {
				return line{}, err
			}
			stops = stops[1:]
		}
	}
	return l, nil
}

// meanOf is the mean of a number of the lines and its standard error.
func meanOf(lines []line, number func(line) float64) (mean, se float64) {
	n := float64(len(lines))
	for _, l := range lines {
		mean += number(l) / n
	}
	for _, l := range lines {
		se += (number(l) - mean) * (number(l) - mean)
	}
	return mean, math.Sqrt(se / math.Max(1, n-1) / n)
}
