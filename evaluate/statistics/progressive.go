package statistics

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// Progressive measures the Gram matrices of several models along with their merge (Nguyen et
// al. 2025, RegMean++, arXiv:2508.03121): what a stage of a model is given is not what that
// model's stages before it make of its examples, but what the merged ones do. So stage by
// stage
//
//	X_i = what the merged stages so far make of model i's examples
//	G_i = the Gram matrices of stage i's linear layers, where model i's stage reads X_i
//	the stage is merged, with these matrices
//
// A stage is a layer of a transformer, as in the authors' program: within it the second
// linear layer reads what the first of the model itself makes. In a chain of layers a stage
// has one layer with weights, so that there is no within.
type Progressive struct {
	network Network // without weights
	from    []tensors.Source
	layers  []layer // of all stages
	stages  []models.Stage
	parts   *gramParts
	execs   map[string]*graph.Exec
}

// NewProgressive prepares the measurement of models of one kind. What is finished goes to
// a folder, a file a stage; files that another measurement, by its identity, left there are
// [ErrOther].
func NewProgressive(b compute.Backend, m *models.Model, from []tensors.Source, folder, identity string) (*Progressive, error) {
	p := &Progressive{network: Network{backend: b, model: m}, from: from, execs: map[string]*graph.Exec{}}
	var err error
	if p.layers, err = p.network.layers(); err != nil {
		return nil, err
	}
	// Behind the last stage with a linear layer nothing is asked.
	all := m.Stages()
	last := 0
	for i, s := range all {
		if len(p.within(s)) > 0 {
			last = i
		}
	}
	p.stages = all[:last+1]
	p.parts, err = openParts(folder, identity, len(from), p.layers)
	return p, err
}

// Close frees what the measurement holds.
func (p *Progressive) Close() error {
	for _, e := range p.execs {
		e.Finalize()
	}
	return p.parts.close()
}

// within are a stage's linear layers.
func (p *Progressive) within(s models.Stage) (out []layer) {
	for _, l := range p.layers {
		if slices.Contains(s.Names, l.weight) {
			out = append(out, l)
		}
	}
	return out
}

// File is the file of statistics of a model as it grows: it lists all matrices from the
// first, and has those of the stages that are finished.
func (p *Progressive) File(model int) tensors.Source { return p.parts.file(model) }

// batch is some examples of a model: what the merged stages have made of them, and
// lengths, or 1 for the rows that count.
type batch struct{ x, with *gmlx.Tensor }

// Measure goes through the stages. spec merges the models, with [Progressive.File] as their
// Gram matrices; sets are each model's examples. What is finished before is not measured
// again.
func (p *Progressive) Measure(ctx context.Context, spec *merge.Spec, sets [][]*evaluate.Dataset, o Options) error {
	batches := make([][]batch, len(p.from))
	defer func() {
		for _, list := range batches {
			for _, b := range list {
				finalize([]*gmlx.Tensor{b.x, b.with})
			}
		}
	}()
	all := 0
	for k, of := range sets {
		steps, err := p.network.gramSteps(of)
		if err != nil {
			return err
		}
		for _, s := range steps {
			own, err := s.args()
			if err != nil {
				return err
			}
			batches[k] = append(batches[k], batch{own[0], own[1]})
		}
		all += len(steps)
	}
	done := 0
	told := func(n int) {
		if done += n; o.Progress != nil {
			o.Progress(done, 2*all*len(p.stages))
		}
	}
	for i, s := range p.stages {
		layers := p.within(s)
		if len(layers) == 0 || p.parts.has(i) {
			told(all)
		} else if err := p.measure(ctx, i, s, layers, batches, told); err != nil {
			return err
		}
		if i < len(p.stages)-1 {
			if err := p.advance(ctx, s, spec, batches, told); err != nil {
				return err
			}
		}
	}
	told(2*all*len(p.stages) - done)
	return nil
}

// measure sums and keeps the Gram matrices of a stage, of all models.
func (p *Progressive) measure(ctx context.Context, stage int, s models.Stage, layers []layer, batches [][]batch, told func(int)) error {
	inner := make([]layer, len(layers))
	for i, l := range layers {
		inner[i] = l
		inner[i].weight = s.Inner[slices.Index(s.Names, l.weight)]
	}
	e, err := p.exec("Gram matrices of "+s.Graph, func(args []*graph.Node) []*graph.Node {
		inputs := map[string]*graph.Node{}
		k := 2 + len(s.Inner)
		models.Watch(args[0].Graph(), func(weight string, x *graph.Node, _ bool) { inputs[weight] = x }, func() {
			p.forward(s, args[:k])
		})
		counts := args[1]
		if p.network.model.Text != nil {
			counts = within(args[1], args[0].Shape().Dim(1))
		}
		return addGrams(inner, inputs, counts, args[k:])
	})
	if err != nil {
		return err
	}
	var grams [][][]float32 // of each model, of each layer
	for k, from := range p.from {
		own, err := upload(p.network.backend, from, s.Names)
		if err != nil {
			return err
		}
		sums := newSum(gramSums(layers), []int{0})
		for _, b := range batches[k] {
			if err = ctx.Err(); err == nil {
				var out []*gmlx.Tensor
				if out, err = called(e, []*gmlx.Tensor{b.x, b.with}, own, sums.values); err == nil {
					sums.finalize()
					sums.values = out
				}
			}
			if err != nil {
				break
			}
			told(1)
		}
		finalize(own)
		var list [][]float32
		for i := range layers {
			var g []float32
			if err == nil {
				g, err = sums.gram(i)
			}
			list = append(list, g)
		}
		sums.finalize()
		if err != nil {
			return err
		}
		grams = append(grams, list)
	}
	return p.parts.keep(stage, layers, grams)
}

// advance lets all examples through a stage as it is merged.
func (p *Progressive) advance(ctx context.Context, s models.Stage, spec *merge.Spec, batches [][]batch, told func(int)) error {
	pop := merge.NewPopulation(p.network.backend, merge.OnDevice)
	defer pop.Finalize()
	var merged, own []*gmlx.Tensor
	defer func() { finalize(own) }()
	for _, name := range s.Names {
		x, mine, failed, err := pop.Tensor(ctx, spec, name, true)
		if err = errors.Join(failed, err); err != nil {
			return err
		}
		merged = append(merged, x)
		if mine {
			own = append(own, x)
		}
	}
	e, err := p.exec(s.Graph, func(args []*graph.Node) []*graph.Node {
		return []*graph.Node{p.forward(s, args)}
	})
	if err != nil {
		return err
	}
	for k := range batches {
		for i := range batches[k] {
			if err := ctx.Err(); err != nil {
				return err
			}
			b := &batches[k][i]
			out, err := called(e, []*gmlx.Tensor{b.x, b.with}, merged)
			if err != nil {
				return err
			}
			finalize([]*gmlx.Tensor{b.x})
			b.x = out[0]
			told(1)
		}
	}
	return nil
}

// forward is a stage's graph on a batch and the stage's weights.
func (p *Progressive) forward(s models.Stage, args []*graph.Node) *graph.Node {
	x := args[0]
	if p.network.model.Text == nil && s.Graph == p.stages[0].Graph {
		x = p.network.images(x)
	}
	return s.Forward(named(p.network.model, s.Inner, args[2:]), x, args[1])
}

// exec is a program of stages that share one.
func (p *Progressive) exec(name string, program func(args []*graph.Node) []*graph.Node) (*graph.Exec, error) {
	if e := p.execs[name]; e != nil {
		return e, nil
	}
	e, err := graph.NewExec(p.network.backend, program)
	if err != nil {
		return nil, fmt.Errorf("preparing the graph: %w", err)
	}
	p.execs[name] = e.SetMaxCache(-1)
	return e, nil
}

// Write writes the file of a model.
func (p *Progressive) Write(model int, to string, metadata map[string]string) error {
	file := p.File(model)
	return write(to, gramLayout(p.layers), metadata, func(t tensors.Info) ([]float32, error) {
		x := make([]float32, t.Len())
		return x, file.ReadAt(x, t.Name, 0)
	}, "")
}

// Remove ends the measurement, of which nothing is left but the files written.
func (p *Progressive) Remove() error { return p.parts.remove() }
