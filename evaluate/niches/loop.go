// Package niches runs M2N2 on small networks as one graph: the archive stays on the
// device, and a call breeds, mutates, scores and replaces for many steps. It is for
// networks that keep weights of their own; merges of models are better off as recipes.
package niches

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/merge/niche"
)

// Options are the rules of a loop, as evolve.M2N2Options and niche.Crossing have them.
type Options struct {
	// Archive is the number of members, Steps how many children a call breeds.
	Archive, Steps int
	// Alpha is how much members compete, Attraction whether the second parent is drawn
	// for what the first lacks.
	Alpha      float64
	Attraction bool
	// Crossing is how parents become a child, and Sigma the standard deviation of the
	// noise on it; 0: none.
	Crossing niche.Crossing
	Sigma    float64
}

// Data is what networks are scored on.
type Data struct {
	// Inputs are on the device; Right says of a flat network [n] which examples it gets
	// right, float32 [Examples] of 0 and 1.
	Inputs   []*gmlx.Tensor
	Right    func(network *graph.Node, inputs []*graph.Node) *graph.Node
	Examples int
}

// Loop is an archive on the device and the graph that evolves it. It is not safe for
// concurrent use.
type Loop struct {
	options  Options
	data     Data
	n        int
	next     uint64
	networks *gmlx.Tensor // [Archive, n]
	right    *gmlx.Tensor // float32 [Archive, Examples]
	ids      *gmlx.Tensor // int32 [Archive]; 0: empty
	exec     *graph.Exec
}

// Draw is what is drawn for a child.
type Draw struct {
	First, Second float64     // of [0, 1), for its parents
	Cuts          []niche.Cut // a chromosome each
	Noise         [2]uint32   // the key of its mutation
}

// Child is what became of a step.
type Child struct {
	ID      uint64
	Parents [2]uint64
	Slot    int     // in the archive; Archive if it was not let in
	Right   []uint8 // an example each
}

// New begins with seeds, whose IDs are 1, 2, ….
func New(b compute.Backend, o Options, data Data, seeds [][]float32) (*Loop, error) {
	if len(seeds) == 0 || len(seeds) > o.Archive {
		return nil, fmt.Errorf("an archive of %d cannot begin with %d networks", o.Archive, len(seeds))
	}
	l := &Loop{options: o, data: data, n: len(seeds[0]), next: uint64(1 + len(seeds))}
	networks, ids := make([]float32, o.Archive*l.n), make([]int32, o.Archive)
	for i, s := range seeds {
		copy(networks[i*l.n:], s)
		ids[i] = int32(1 + i)
	}
	l.networks, l.ids = gmlx.FromFlatDataAndDimensions(networks, o.Archive, l.n), gmlx.FromFlatDataAndDimensions(ids, o.Archive)
	first, err := graph.NewExec(b, func(args []*graph.Node) *graph.Node {
		var rows []*graph.Node
		for i := range o.Archive {
			row := graph.Zeros(args[0].Graph(), right(data))
			if i < len(seeds) {
				row = data.Right(row1(args[0], i, l.n), args[1:])
			}
			rows = append(rows, row)
		}
		return graph.Stack(rows, 0)
	})
	if err != nil {
		return nil, err
	}
	defer first.Finalize()
	out, err := first.Call(l.args(l.networks)...)
	if err != nil {
		return nil, fmt.Errorf("scoring the first networks: %w", err)
	}
	l.right = out[0]
	l.exec, err = graph.NewExec(b, l.steps)
	return l, err
}

// args are tensors with the data behind them.
func (l *Loop) args(t ...*gmlx.Tensor) []any {
	var out []any
	for _, x := range append(t, l.data.Inputs...) {
		out = append(out, x)
	}
	return out
}

// Run takes as many steps as there are draws, which have to be Options.Steps.
func (l *Loop) Run(draws []Draw) ([]Child, error) {
	k, c := l.options.Steps, len(l.options.Crossing.Chromosomes)
	if len(draws) != k {
		return nil, fmt.Errorf("%d draws for %d steps", len(draws), k)
	}
	mates, ratios := make([]float64, 0, 2*k), make([]float32, 0, k*c)
	places, keys := make([]int32, 0, k*c), make([]uint32, 0, 2*k)
	for _, d := range draws {
		mates = append(mates, d.First, d.Second)
		keys = append(keys, d.Noise[:]...)
		for _, cut := range d.Cuts {
			ratios, places = append(ratios, float32(cut.Ratio)), append(places, int32(cut.At))
		}
	}
	given := []*gmlx.Tensor{
		gmlx.FromFlatDataAndDimensions(mates, k, 2), gmlx.FromFlatDataAndDimensions(ratios, k, c),
		gmlx.FromFlatDataAndDimensions(places, k, c), gmlx.FromFlatDataAndDimensions(keys, k, 2),
		gmlx.FromFlatDataAndDimensions([]int32{int32(l.next)}),
	}
	defer free(given...)
	out, err := l.exec.Call(l.args(append([]*gmlx.Tensor{l.networks, l.right, l.ids}, given...)...)...)
	if err != nil {
		return nil, fmt.Errorf("evolving on the device: %w", err)
	}
	defer free(out[3:]...)
	children, err := l.children(out[3], out[4], out[5])
	if err != nil {
		free(out[:3]...)
		return nil, err
	}
	free(l.networks, l.right, l.ids)
	l.networks, l.right, l.ids = out[0], out[1], out[2]
	l.next += uint64(k)
	return children, nil
}

func (l *Loop) children(parents, slots, right *gmlx.Tensor) ([]Child, error) {
	p, err := gmlx.CopyFlatData[int32](parents)
	if err != nil {
		return nil, err
	}
	s, err := gmlx.CopyFlatData[int32](slots)
	if err != nil {
		return nil, err
	}
	r, err := gmlx.CopyFlatData[uint8](right)
	if err != nil {
		return nil, err
	}
	out := make([]Child, l.options.Steps)
	e := l.data.Examples
	for i := range out {
		out[i] = Child{l.next + uint64(i), [2]uint64{uint64(p[2*i]), uint64(p[2*i+1])}, int(s[i]), r[i*e : (i+1)*e]}
	}
	return out, nil
}

// Network returns the weights of a slot.
func (l *Loop) Network(slot int) (out []float32, err error) {
	err = gmlx.ConstFlatData(l.networks, func(flat []float32) {
		out = append(out, flat[slot*l.n:(slot+1)*l.n]...)
	})
	return out, err
}

// Finalize frees what the loop holds, but not the data.
func (l *Loop) Finalize() {
	free(l.networks, l.right, l.ids)
	l.exec.Finalize()
}

func free(all ...*gmlx.Tensor) {
	for _, t := range all {
		_ = t.FinalizeAll()
	}
}
