package main

import (
	"context"
	"fmt"
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
		Right: func(network *graph.Node, inputs []*graph.Node) *graph.Node {
			logits := forward(network, inputs[0])
			return graph.ConvertDType(graph.Equal(graph.ArgMax(logits, 0, dtypes.Int32), inputs[1]), dtypes.Float32)
		},
	}
}

// loopSteps is how many children a call of the loop on the device breeds.
const loopSteps = 200

// fused runs a seed of the variant as one graph, the archive on the device. Without
// mutation its trajectory is the host's, but for rounding.
func (v variant) fused(ctx context.Context, b *xla.Backend, e *exam, d *digits, seed uint64) (line, error) {
	v.crossing.Chromosomes = []int64{weights}
	o := niches.Options{Archive: v.options.Archive, Steps: loopSteps, Alpha: v.options.Alpha, Attraction: v.options.Attraction, Crossing: v.crossing}
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
		s := evolve.Scored[int]{Candidate: evolve.Candidate[int]{ID: c.ID, Genome: c.Slot}}
		for _, ok := range c.Right {
			s.Items = append(s.Items, float32(ok))
			s.Value += float64(ok) / float64(len(c.Right))
		}
		members[c.Slot] = s
	}
	for _, c := range first {
		enter(c)
	}
	for next := uint64(1 + len(seeds)); next <= uint64(v.evaluations); {
		if err := ctx.Err(); err != nil {
			return line{}, err
		}
		var draws []niches.Draw
		for ; len(draws) < loopSteps && next <= uint64(v.evaluations); next++ {
			rng := evolve.Draws(seed, next)
			draw := niches.Draw{First: rng.Float64(), Second: rng.Float64(), Cuts: v.crossing.Draw(rng)}
			draw.Noise = [2]uint32{rng.Uint32(), rng.Uint32()}
			draws = append(draws, draw)
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
	var best evolve.Scored[int]
	var scores [][]float32
	for _, m := range members[:o.Archive] {
		if m.ID != 0 {
			scores = append(scores, m.Items)
			if best.ID == 0 || evolve.Better(m, best) {
				best = m
			}
		}
	}
	network, err := e.loop.Network(best.Genome)
	if err != nil {
		return line{}, err
	}
	copy(e.weights(0), network)
	test, err := e.test()
	if err != nil {
		return line{}, fmt.Errorf("seed %d: %w", seed, err)
	}
	l.Train, l.Test, l.Coverage = 100*best.Value, 100*test, 100*evolve.DiversityOf(scores).Coverage
	return l, nil
}
