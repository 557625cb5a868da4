package models

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// Decode is a decoder as generation runs it: a prompt at once, then a token at a time
// beside the keys and values of those before, which are kept.
type Decode struct {
	*Blocks
	KeyHeads, HeadDim int
}

// Prompt reads prompts: ids [B, T] and their lengths [B], int32. It returns the last
// token's vectors, [B, Width], and the memory: for each layer keys and values
// [B, size, KeyHeads, HeadDim] of the places of the sequence, of which those behind
// the prompts are still empty.
func (d *Decode) Prompt(w Weights, ids, lengths *graph.Node, size int) (last *graph.Node, memory []*graph.Node) {
	h := d.run(w, ids, positions(ids), d.remember(ids, lengths, size, &memory))
	return d.Last(h, lengths), memory
}

// PromptLayer is one layer, whose weights are called those of layer 0, of Prompt.
func (d *Decode) PromptLayer(w Weights, x, lengths *graph.Node, size int) (y *graph.Node, memory []*graph.Node) {
	y = d.layer(w, 0, x, positions(x), d.remember(x, lengths, size, &memory))
	return y, memory
}

// remember is attention among prompts that keeps keys and values, with room for size.
func (d *Decode) remember(x, lengths *graph.Node, size int, memory *[]*graph.Node) look {
	b, t := x.Shape().Dim(0), x.Shape().Dim(1)
	return d.among(x, lengths, func(x *graph.Node) {
		if size > t {
			x = graph.Concatenate([]*graph.Node{x, graph.Zeros(x.Graph(), shapes.Make(dtypes.Float32, b, size-t, d.KeyHeads, d.HeadDim))}, 1)
		}
		*memory = append(*memory, x)
	})
}

// Last returns the vectors of sequences' last tokens, [B, Width], of those of all.
func (d *Decode) Last(h, lengths *graph.Node) *graph.Node {
	at := graph.Iota(h.Graph(), shapes.Make(dtypes.Int32, h.Shape().Dim(0), h.Shape().Dim(1)), 1)
	end := graph.Equal(at, graph.BroadcastToShape(graph.InsertAxes(graph.SubScalar(lengths, 1), -1), at.Shape()))
	return graph.Einsum("bt,btd->bd", graph.ConvertDType(end, dtypes.Float32), h)
}

// Next reads one more token a sequence: ids and their places, int32 [B]. It returns
// their vectors and the memory with them in it.
func (d *Decode) Next(w Weights, ids, at *graph.Node, memory []*graph.Node) (last *graph.Node, next []*graph.Node) {
	h := d.run(w, graph.InsertAxes(ids, -1), graph.InsertAxes(at, -1), d.recall(at, memory, &next))
	return graph.Squeeze(h, 1), next
}

// NextBegin returns what the first layer reads of one more token, [B, 1, Width].
func (d *Decode) NextBegin(w Weights, ids, at *graph.Node) *graph.Node {
	return d.begin(w, graph.InsertAxes(ids, -1), graph.InsertAxes(at, -1))
}

// NextLayer is one layer, whose weights are called those of layer 0, of Next, with its
// keys and values.
func (d *Decode) NextLayer(w Weights, x, at *graph.Node, memory []*graph.Node) (y *graph.Node, next []*graph.Node) {
	y = d.layer(w, 0, x, graph.InsertAxes(at, -1), d.recall(at, memory, &next))
	return y, next
}

// recall is attention of one more token to those in memory and itself.
func (d *Decode) recall(at *graph.Node, memory []*graph.Node, next *[]*graph.Node) look {
	b, size := memory[0].Shape().Dim(0), memory[0].Shape().Dim(1)
	place := graph.Iota(at.Graph(), shapes.Make(dtypes.Int32, b, 1, 1, size), 3)
	mine := graph.BroadcastToShape(graph.Reshape(at, b, 1, 1, 1), place.Shape())
	return func(layer int, q, k, v *graph.Node) *graph.Node {
		here := graph.Reshape(graph.Equal(place, mine), b, size, 1, 1)
		for i, x := range []*graph.Node{k, v} {
			old := memory[2*layer+i]
			*next = append(*next, graph.Where(graph.BroadcastToShape(here, old.Shape()), graph.BroadcastToShape(x, old.Shape()), old))
		}
		see := graph.LessOrEqual(place, mine)
		if window := d.window(layer); window > 0 {
			see = graph.LogicalAnd(see, graph.GreaterThan(place, graph.SubScalar(mine, window)))
		}
		return attend(q, (*next)[2*layer], (*next)[2*layer+1], see, d.scale(layer))
	}
}
