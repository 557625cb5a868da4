package models

import "github.com/gomlx/gomlx/core/graph"

// Blocks is a model of texts as what stands before its layers, the layers, and what
// stands behind them: one graph runs all, or one graph any layer, so that models with
// more layers or fewer share it.
type Blocks struct {
	// Layers counts them; the names of their weights begin with Prefix and the layer's
	// number.
	Layers int
	Prefix string

	causal bool
	window func(layer int) int     // tokens that a layer sees, 0 for all
	scale  func(layer int) float64 // of queries
	// begin makes the first layer's input [B, T, Width] of ids and their places, int32
	// [B, T] and [B|1, T]; end makes the model's vectors of the last layer's output.
	begin func(w Weights, ids, at *graph.Node) *graph.Node
	layer func(w Weights, i int, x, at *graph.Node, look look) *graph.Node
	end   func(w Weights, x *graph.Node) *graph.Node
}

// look is a layer's attention: of queries [B, T, H, D] to keys and values
// [B, T, K, D] and to what it may know besides. It returns [B, T, H*D].
type look func(layer int, q, k, v *graph.Node) *graph.Node

// Alike reports whether all layers do the same with their weights.
func (b *Blocks) Alike() bool {
	for i := 1; i < b.Layers; i++ {
		if b.window(i) != b.window(0) || b.scale(i) != b.scale(0) {
			return false
		}
	}
	return true
}

// Begin returns what the first layer reads, float32 [B, T, Width], of ids, int32 [B, T].
func (b *Blocks) Begin(w Weights, ids *graph.Node) *graph.Node {
	return b.begin(w, ids, positions(ids))
}

// Layer runs layer i, whose weights are called by its number, on x [B, T, Width] of
// sequences of some lengths, int32 [B].
func (b *Blocks) Layer(w Weights, i int, x, lengths *graph.Node) *graph.Node {
	return b.layer(w, i, x, positions(x), b.among(x, lengths, func(*graph.Node) {}))
}

// End returns the model's vectors [B, T, Width] of the last layer's output.
func (b *Blocks) End(w Weights, x *graph.Node) *graph.Node { return b.end(w, x) }

// run is all layers' graph; look is attention.
func (b *Blocks) run(w Weights, ids, at *graph.Node, look look) *graph.Node {
	x := b.begin(w, ids, at)
	for i := range b.Layers {
		x = b.layer(w, i, x, at, look)
	}
	return b.end(w, x)
}

// hidden is Text.Hidden.
func (b *Blocks) hidden(w Weights, ids, lengths *graph.Node) *graph.Node {
	return b.run(w, ids, positions(ids), b.among(ids, lengths, func(*graph.Node) {}))
}

// among is attention among the tokens of sequences themselves, x being anything of
// [B, T, ...]; keep is given each layer's keys, then its values.
func (b *Blocks) among(x, lengths *graph.Node, keep func(*graph.Node)) look {
	sights := map[int]*graph.Node{}
	return func(layer int, q, k, v *graph.Node) *graph.Node {
		window := b.window(layer)
		if sights[window] == nil {
			sights[window] = sight(x, lengths, b.causal, window)
		}
		keep(k)
		keep(v)
		return attend(q, k, v, sights[window], b.scale(layer))
	}
}
