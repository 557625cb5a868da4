// Package niches runs M2N2 on small networks as one graph: the archive stays on the
// device, and a call breeds, mutates, scores and replaces for many steps. It is for
// networks that keep weights of their own; merges of models are better off as recipes.
package niches

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/merge/niche"
)

// Options are the rules of a loop, as evolve.M2N2Options and niche.Crossing have them.
type Options struct {
	// Archive is the number of members, Flight how many children are bred before the first
	// of them is let in, Steps how many children a call breeds, a multiple of Flight.
	Archive, Flight, Steps int
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
	// Inputs are on the device; Score says of flat networks [W, n] which examples they get
	// right, float32 [W, Examples] of 0 and 1, and what decides between equals, float32 [W]:
	// NaN fails a network.
	Inputs   []*gmlx.Tensor
	Score    func(networks *graph.Node, inputs []*graph.Node) (right, ties *graph.Node)
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
	score    *graph.Exec
	exec     *graph.Exec
}

// Draw is what is drawn for a child.
type Draw struct {
	First, Second float64     // of [0, 1), for its parents
	Cuts          []niche.Cut // a chromosome each
	Noise         [2]uint32   // the key of its mutation
}

// Draw draws what a child needs from its own numbers, the mates first, as
// evolve.M2N2 does.
func (o Options) Draw(rng *rand.Rand) Draw {
	d := Draw{First: rng.Float64(), Second: rng.Float64(), Cuts: o.Crossing.Draw(rng)}
	if o.Sigma > 0 {
		d.Noise = [2]uint32{rng.Uint32(), rng.Uint32()}
	}
	return d
}

// Child is what became of a step.
type Child struct {
	ID      uint64
	Parents [2]uint64
	Slot    int     // in the archive; Archive if it was not let in
	Failed  bool    // its output is no number; it is not let in
	Right   []uint8 // an example each
	Tie     float32 // Data.Score's
}

// Member is a network of the archive.
type Member struct {
	ID      uint64 // 0: the slot is empty
	Weights []float32
	Right   []uint8
}

// New compiles nothing yet: Begin and Run do, once.
func New(b compute.Backend, o Options, data Data) (*Loop, error) {
	l := &Loop{options: o, data: data}
	if c := o.Crossing.Chromosomes; len(c) == 0 || o.Archive < 1 || o.Flight < 1 || o.Steps < o.Flight || o.Steps%o.Flight != 0 {
		return nil, fmt.Errorf("a loop of %d members, %d steps and %d in flight, of %d chromosomes", o.Archive, o.Steps, o.Flight, len(c))
	}
	l.n = int(o.Crossing.Chromosomes[len(o.Crossing.Chromosomes)-1])
	var err error
	if l.score, err = graph.NewExec(b, l.marks); err != nil {
		return nil, err
	}
	l.exec, err = graph.NewExec(b, l.steps)
	return l, err
}

// Begin forgets what there was and puts seeds into the first slots, with IDs 1, 2, ….
func (l *Loop) Begin(seeds [][]float32) ([]Child, error) {
	if len(seeds) == 0 || len(seeds) > l.options.Archive {
		return nil, fmt.Errorf("an archive of %d cannot begin with %d networks", l.options.Archive, len(seeds))
	}
	members := make([]Member, l.options.Archive)
	var out []Child
	for i, w := range seeds {
		if len(w) != l.n {
			return nil, fmt.Errorf("network %d has %d weights, not %d", i, len(w), l.n)
		}
		marks, err := l.mark(w)
		if err != nil {
			return nil, fmt.Errorf("scoring the first networks: %w", err)
		}
		c := Child{ID: uint64(1 + i), Slot: i}
		for _, m := range marks {
			c.Right = append(c.Right, uint8(m))
		}
		members[i] = Member{c.ID, w, c.Right}
		out = append(out, c)
	}
	return out, l.Restore(members, uint64(1+len(seeds)))
}

// Restore forgets what there was and takes an archive, a member a slot. The next child has
// the ID next.
func (l *Loop) Restore(members []Member, next uint64) error {
	p, e := l.options.Archive, l.data.Examples
	if len(members) != p {
		return fmt.Errorf("%d members for an archive of %d", len(members), p)
	}
	networks, right, ids := make([]float32, p*l.n), make([]float32, p*e), make([]int32, p)
	for i, m := range members {
		if m.ID == 0 {
			continue
		}
		if len(m.Weights) != l.n || len(m.Right) != e || m.ID >= next || next > math.MaxInt32 {
			return fmt.Errorf("member %d of slot %d has %d weights and %d marks, before child %d; want %d and %d", m.ID, i, len(m.Weights), len(m.Right), next, l.n, e)
		}
		copy(networks[i*l.n:], m.Weights)
		for j, v := range m.Right {
			right[i*e+j] = float32(v)
		}
		ids[i] = int32(m.ID)
	}
	if l.networks != nil {
		free(l.networks, l.right, l.ids)
	}
	l.networks = gmlx.FromFlatDataAndDimensions(networks, p, l.n)
	l.right = gmlx.FromFlatDataAndDimensions(right, p, e)
	l.ids = gmlx.FromFlatDataAndDimensions(ids, p)
	l.next = next
	return nil
}

// marks is the graph that scores one network.
func (l *Loop) marks(args []*graph.Node) *graph.Node {
	right, _ := l.data.Score(graph.InsertAxes(args[0], 0), args[1:])
	return graph.Reshape(right, l.data.Examples)
}

func (l *Loop) mark(weights []float32) ([]float32, error) {
	w := gmlx.FromFlatDataAndDimensions(weights, len(weights))
	defer free(w)
	out, err := l.score.Call(l.args(w)...)
	if err != nil {
		return nil, err
	}
	defer free(out...)
	return gmlx.CopyFlatData[float32](out[0])
}

// args are tensors with the data behind them.
func (l *Loop) args(t ...*gmlx.Tensor) []any {
	var out []any
	for _, x := range append(t, l.data.Inputs...) {
		out = append(out, x)
	}
	return out
}

// Run takes as many steps as there are draws, at most Options.Steps and a multiple of
// Options.Flight, after Begin or Restore. How steps are shared out among calls changes
// nothing.
func (l *Loop) Run(draws []Draw) ([]Child, error) {
	k, c := l.options.Steps, len(l.options.Crossing.Chromosomes)
	if len(draws) > k || len(draws)%l.options.Flight != 0 {
		return nil, fmt.Errorf("%d draws for %d steps, %d in flight", len(draws), k, l.options.Flight)
	}
	mates, ratios := make([]float64, 2*k), make([]float32, k*c)
	places, keys := make([]int32, k*c), make([]uint32, 2*k)
	for i, d := range draws {
		mates[2*i], mates[2*i+1] = d.First, d.Second
		copy(keys[2*i:], d.Noise[:])
		for j, cut := range d.Cuts {
			ratios[i*c+j], places[i*c+j] = float32(cut.Ratio), int32(cut.At)
		}
	}
	given := []*gmlx.Tensor{
		gmlx.FromFlatDataAndDimensions(mates, k, 2), gmlx.FromFlatDataAndDimensions(ratios, k, c),
		gmlx.FromFlatDataAndDimensions(places, k, c), gmlx.FromFlatDataAndDimensions(keys, k, 2),
		gmlx.FromValue(int32(l.next)), gmlx.FromValue(int32(len(draws))),
	}
	defer free(given...)
	out, err := l.exec.Call(l.args(append([]*gmlx.Tensor{l.networks, l.right, l.ids}, given...)...)...)
	if err != nil {
		return nil, fmt.Errorf("evolving on the device: %w", err)
	}
	defer free(out[3:]...)
	children, err := l.children(len(draws), out[3], out[4], out[5], out[6])
	if err != nil {
		free(out[:3]...)
		return nil, err
	}
	free(l.networks, l.right, l.ids)
	l.networks, l.right, l.ids = out[0], out[1], out[2]
	l.next += uint64(len(draws))
	return children, nil
}

func (l *Loop) children(count int, parents, slots, right, ties *gmlx.Tensor) ([]Child, error) {
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
	t, err := gmlx.CopyFlatData[float32](ties)
	if err != nil {
		return nil, err
	}
	out := make([]Child, count)
	e := l.data.Examples
	for i := range out {
		slot := min(int(s[i]), l.options.Archive)
		out[i] = Child{l.next + uint64(i), [2]uint64{uint64(p[2*i]), uint64(p[2*i+1])}, slot, int(s[i]) > slot, r[i*e : (i+1)*e], t[i]}
	}
	return out, nil
}

// Networks calls f with the weights of each of the slots, to be read before it returns.
func (l *Loop) Networks(slots []int, f func(slot int, weights []float32)) error {
	return gmlx.ConstFlatData(l.networks, func(flat []float32) {
		for _, k := range slots {
			f(k, flat[k*l.n:(k+1)*l.n])
		}
	})
}

// Finalize frees what the loop holds, but not the data.
func (l *Loop) Finalize() {
	if l.networks != nil {
		free(l.networks, l.right, l.ids)
	}
	l.score.Finalize()
	l.exec.Finalize()
}

func free(all ...*gmlx.Tensor) {
	for _, t := range all {
		_ = t.FinalizeAll()
	}
}
