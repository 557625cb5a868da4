package models

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
)

// Stage is a part of a model's graph; one behind the other, the stages are all of it but
// the logits of the next token, so that a model can be run, or changed, a part at a time: a
// layer of a transformer, what stands before its layers and what stands behind them, a
// layer of a chain that has weights with those behind it that have none.
type Stage struct {
	// Graph is equal for stages that do the same with weights of other names.
	Graph string
	// Names are the weights that the stage reads, Inner what Forward calls them.
	Names, Inner []string
	// Forward maps what the stage before has made, float32 [B, ...], to the same of this
	// one. The first reads what the model reads: images as [Model.Forward] and
	// [Image.Vector] do, or ids, int32 [B, T]. lengths are those of the sequences, int32
	// [B], for models that read texts.
	Forward func(w Weights, x, lengths *graph.Node) *graph.Node
}

// Stages returns the model's parts in their order.
func (m *Model) Stages() []Stage {
	if m.chain != nil {
		return m.chainStages()
	}
	return m.parts.stages(m.Names())
}

// parts is a model as what stands before its layers, the layers, and what stands behind
// them. Its weights are listed in that order.
type parts struct {
	layers     int
	prefix     string // of the layers' weights: the number and a dot follow
	begin, end func(w Weights, x *graph.Node) *graph.Node
	layer      func(w Weights, i int, x, lengths *graph.Node) *graph.Node
	// like returns the first layer that does the same as layer i with its weights.
	like func(i int) int
}

// stages splits the names of the weights.
func (p *parts) stages(names []string) []Stage {
	list := make([]Stage, p.layers+2)
	at := 0
	for _, name := range names {
		at = p.stageOf(name, at)
		list[at].Names = append(list[at].Names, name)
	}
	for i := range list {
		s := &list[i]
		s.Inner = s.Names
		switch {
		case i == 0:
			s.Graph, s.Forward = "begin", func(w Weights, x, _ *graph.Node) *graph.Node { return p.begin(w, x) }
		case i > p.layers:
			s.Graph, s.Forward = "end", func(w Weights, x, _ *graph.Node) *graph.Node { return p.end(w, x) }
		default:
			of := p.like(i - 1)
			s.Graph, s.Inner = fmt.Sprint("layer ", of), nil
			for _, name := range s.Names {
				rest := strings.TrimPrefix(name, fmt.Sprintf("%s%d.", p.prefix, i-1))
				s.Inner = append(s.Inner, fmt.Sprintf("%s%d.%s", p.prefix, of, rest))
			}
			s.Forward = func(w Weights, x, lengths *graph.Node) *graph.Node { return p.layer(w, of, x, lengths) }
		}
	}
	return list
}

// stageOf is the stage that reads a weight which is listed behind one of stage last.
func (p *parts) stageOf(name string, last int) int {
	rest, in := strings.CutPrefix(name, p.prefix)
	number, _, dotted := strings.Cut(rest, ".")
	i, err := strconv.Atoi(number)
	switch {
	case in && dotted && err == nil:
		return i + 1
	case last > 0:
		return p.layers + 1
	}
	return 0
}

// parts is a model of texts in parts.
func (b *Blocks) parts() *parts {
	return &parts{layers: b.Layers, prefix: b.Prefix, begin: b.Begin, end: b.End, layer: b.Layer,
		like: func(i int) int {
			for j := range i {
				if b.window(j) == b.window(i) && b.scale(j) == b.scale(i) {
					return j
				}
			}
			return i
		}}
}

// chainStages are the layers that have weights, each with those behind it that have none;
// those before the first are the first's.
func (m *Model) chainStages() (out []Stage) {
	var run []layer
	var names []string
	done := func() {
		chain := run
		out = append(out, Stage{Graph: fmt.Sprint("stage ", len(out)), Names: names, Inner: names,
			Forward: func(w Weights, x, _ *graph.Node) *graph.Node { return graph.Squeeze(through(chain, w, x), 0) }})
		run, names = nil, nil
	}
	for _, l := range m.chain {
		own := l.weights()
		if len(own) > 0 && len(names) > 0 {
			done()
		}
		run = append(run, l)
		for _, t := range own {
			names = append(names, t.Name)
		}
	}
	done()
	return out
}

// through runs a chain on x [B, in...]: [P, B, out...].
func through(chain []layer, w Weights, x *graph.Node) *graph.Node {
	x = graph.InsertAxes(x, 0)
	for _, l := range chain {
		x = l.forward(w, x)
	}
	return x
}
