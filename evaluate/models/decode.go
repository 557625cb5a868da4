package models

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// Decode is a decoder as generation runs it: a prompt at once, then a token at a time
// beside the keys and values of those before, which are kept.
type Decode struct {
	Layers, KeyHeads, HeadDim int

	window func(layer int) int // tokens that a layer sees, 0 for all
	scale  func(layer int) float64
	run    func(w Weights, ids, at *graph.Node, look look) *graph.Node
}

// look is a layer's attention: of queries [B, T, H, D] to keys and values
// [B, T, K, D] and to what it may know besides. It returns [B, T, H*D].
type look func(layer int, q, k, v *graph.Node) *graph.Node

// hidden is Text.Hidden of a decoder.
func (d *Decode) hidden(w Weights, ids, lengths *graph.Node) *graph.Node {
	return d.run(w, ids, positions(ids), d.among(ids, lengths, func(*graph.Node) {}))
}

// among is attention among the tokens of ids themselves; keep is given each layer's
// keys, then its values.
func (d *Decode) among(ids, lengths *graph.Node, keep func(*graph.Node)) look {
	sights := map[int]*graph.Node{}
	return func(layer int, q, k, v *graph.Node) *graph.Node {
		window := d.window(layer)
		if sights[window] == nil {
			sights[window] = sight(ids, lengths, true, window)
		}
		keep(k)
		keep(v)
		return attend(q, k, v, sights[window], d.scale(layer))
	}
}

// Prompt reads prompts: ids [B, T] and their lengths [B], int32. It returns the last
// token's vectors, [B, Width], and the memory: for each layer keys and values
// [B, size, KeyHeads, HeadDim] of the places of the sequence, of which those behind
// the prompts are still empty.
func (d *Decode) Prompt(w Weights, ids, lengths *graph.Node, size int) (last *graph.Node, memory []*graph.Node) {
	b, t := ids.Shape().Dim(0), ids.Shape().Dim(1)
	h := d.run(w, ids, positions(ids), d.among(ids, lengths, func(x *graph.Node) {
		if size > t {
			x = graph.Concatenate([]*graph.Node{x, graph.Zeros(x.Graph(), shapes.Make(dtypes.Float32, b, size-t, d.KeyHeads, d.HeadDim))}, 1)
		}
		memory = append(memory, x)
	}))
	at := graph.Iota(ids.Graph(), shapes.Make(dtypes.Int32, b, t), 1)
	end := graph.Equal(at, graph.BroadcastToShape(graph.InsertAxes(graph.SubScalar(lengths, 1), -1), at.Shape()))
	return graph.Einsum("bt,btd->bd", graph.ConvertDType(end, dtypes.Float32), h), memory
}

// Next reads one more token a sequence: ids and their places, int32 [B]. It returns
// their vectors and the memory with them in it.
func (d *Decode) Next(w Weights, ids, at *graph.Node, memory []*graph.Node) (last *graph.Node, next []*graph.Node) {
	b, size := memory[0].Shape().Dim(0), memory[0].Shape().Dim(1)
	place := graph.Iota(ids.Graph(), shapes.Make(dtypes.Int32, b, 1, 1, size), 3)
	mine := graph.BroadcastToShape(graph.Reshape(at, b, 1, 1, 1), place.Shape())
	h := d.run(w, graph.InsertAxes(ids, -1), graph.InsertAxes(at, -1), func(layer int, q, k, v *graph.Node) *graph.Node {
		here := graph.Reshape(graph.Equal(place, mine), b, size, 1, 1)
		for i, x := range []*graph.Node{k, v} {
			old := memory[2*layer+i]
			next = append(next, graph.Where(graph.BroadcastToShape(here, old.Shape()), graph.BroadcastToShape(x, old.Shape()), old))
		}
		see := graph.LessOrEqual(place, mine)
		if window := d.window(layer); window > 0 {
			see = graph.LogicalAnd(see, graph.GreaterThan(place, graph.SubScalar(mine, window)))
		}
		return attend(q, next[2*layer], next[2*layer+1], see, d.scale(layer))
	})
	return graph.Squeeze(h, 1), next
}
