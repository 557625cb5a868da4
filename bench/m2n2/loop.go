package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate/niches"
	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/internal/xla"
	"github.com/mergevo/mergevo/merge/niche"
)

// data is what the loop on the device scores networks on.
func (p paper) data() niches.Data {
	return niches.Data{
		Inputs: []*gmlx.Tensor{p.images, p.labels}, Examples: p.count,
		Score: func(networks *graph.Node, inputs []*graph.Node) (marks, ties *graph.Node) {
			marks = graph.ConvertDType(right(networks, inputs[0], inputs[1]), dtypes.Float32)
			return marks, graph.ZerosLike(graph.Slice(marks, graph.AxisRange(), graph.AxisElem(0)))
		},
	}
}

// loopSteps is how many children a call of the loop on the device breeds.
const loopSteps = 200

// fused runs a seed of the variant as one graph, the archive on the device. Without
// mutation its trajectory is the host's, but for rounding.
func (v variant) fused(ctx context.Context, b *xla.Backend, e *exam, d *digits, seed uint64) (line, error) {
	v.crossing.Chromosomes = []int64{weights}
	o := niches.Options{Archive: v.options.Archive, Flight: v.options.InFlight, Steps: loopSteps / v.options.InFlight * v.options.InFlight, Alpha: v.options.Alpha, Attraction: v.options.Attraction, Crossing: v.crossing}
	seeds := d.seeds
	if v.scratch {
		seeds, o.Sigma = niche.Scratch(v.crossing, seed, weights, 2, scratchSigma).First, scratchSigma
	}
	if e.loop == nil {
		var err error
		if e.loop, err = niches.New(b.Backend, o, e.train.data()); err != nil {
			return line{}, err
		}
	}
	began := time.Now()
	first, err := e.loop.Begin(seeds)
	if err != nil {
		return line{}, err
	}
	members := make([]evolve.Scored[int], o.Archive+1) // by slot, which is their genome
	enter := func(c niches.Child) {
		members[c.Slot] = evolve.Scored[int]{Candidate: evolve.Candidate[int]{ID: c.ID, Genome: c.Slot}, Score: scoreOf(c.Right)}
	}
	for _, c := range first {
		enter(c)
	}
	last := uint64(v.evaluations - (v.evaluations-len(seeds))%o.Flight) // whole flights
	for next := uint64(1 + len(seeds)); next <= last; {
		if err := ctx.Err(); err != nil {
			return line{}, err
		}
		var draws []niches.Draw
		for ; len(draws) < o.Steps && next <= last; next++ {
			draws = append(draws, o.Draw(evolve.Draws(seed, next)))
		}
		children, err := e.loop.Run(draws)
		if err != nil {
			return line{}, err
		}
		for _, c := range children {
			enter(c)
		}
	}
	l := line{Variant: v.name, Seed: seed, Seconds: time.Since(began).Seconds()}
	there := slices.DeleteFunc(members[:o.Archive], func(m evolve.Scored[int]) bool { return m.ID == 0 })
	best := slices.MinFunc(there, evolve.Compare)
	var scores [][]float32
	for _, m := range there {
		scores = append(scores, m.Items)
	}
	if err := e.loop.Networks([]int{best.Genome}, func(_ int, w []float32) { copy(e.weights(0), w) }); err != nil {
		return line{}, err
	}
	test, err := e.test()
	if err != nil {
		return line{}, fmt.Errorf("seed %d: %w", seed, err)
	}
	l.Train, l.Test, l.Coverage = 100*best.Value, 100*test, 100*evolve.DiversityOf(scores).Coverage
	return l, nil
}
