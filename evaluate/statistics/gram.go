package statistics

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// gramRows is how many images, and about how many tokens, a call takes.
const (
	gramRows   = 64
	gramTokens = 1024
)

// The programs that sum Gram matrices.
const (
	gramsOfImages mode = iota + 100
	gramsOfTexts
)

// layer is a linear layer as a graph multiplies it.
type layer struct {
	weight     string
	transposed bool
	in         int
}

// name is that of the layer's Gram matrix.
func (l layer) name() string {
	if l.transposed {
		return l.weight + merge.Transposed
	}
	return l.weight
}

// Grams measures, for each linear layer and convolution, the Gram matrix X^T X / n of its
// n inputs X on the examples: of images, of the tokens of texts, of the patches of a
// convolution. Layers are those before the logits of a language model. It writes a matrix
// [in, in] in float32 for each, by the weight's name; that of a weight kept as [in, out] ends
// in ^T.
func (n *Network) Grams(ctx context.Context, sets []*evaluate.Dataset, to string, metadata map[string]string, o Options) error {
	steps, err := n.gramSteps(sets)
	if err != nil {
		return err
	}
	layers, err := n.layers()
	if err != nil {
		return err
	}
	sums := gramSums(layers)
	s := newSum(sums, parts(sums, 2, gramTimes, n.left(o.Room, sums)))
	defer s.finalize()
	if err := n.measure(ctx, s, steps, func(lo, hi int) map[mode]func([]*graph.Node) []*graph.Node {
		program := n.grams(layers[lo/2 : hi/2])
		return map[mode]func([]*graph.Node) []*graph.Node{gramsOfImages: program, gramsOfTexts: program}
	}, o); err != nil {
		return err
	}
	return write(to, gramLayout(layers), metadata, func(t tensors.Info) ([]float32, error) {
		return s.gram(slices.IndexFunc(layers, func(l layer) bool { return l.name() == t.Name }))
	}, o.State)
}

// gramLayout is that of the layers' Gram matrices.
func gramLayout(layers []layer) (out []tensors.Info) {
	for _, l := range layers {
		out = append(out, tensors.Info{Name: l.name(), DType: tensors.F32, Shape: []int{l.in, l.in}})
	}
	return out
}

// gramSums is that of their sums: behind each matrix stands the number of inputs that it
// is summed over.
func gramSums(layers []layer) (out []tensors.Info) {
	for _, t := range gramLayout(layers) {
		out = append(out, t, tensors.Info{Name: t.Name + " inputs", DType: tensors.F32, Shape: []int{1}})
	}
	return out
}

// gram is the Gram matrix of a layer by the sums of [gramSums].
func (s *sum) gram(i int) ([]float32, error) {
	x, err := s.read(2 * i)
	if err != nil {
		return nil, err
	}
	count, err := s.read(2*i + 1)
	for j := range x {
		x[j] = float32(float64(x[j]) / float64(count[0]))
	}
	return x, err
}

// forward runs the model without its logits: on images and 1 for those that count, or on
// ids and lengths. It returns 1 for the rows [B] or tokens [B, T] that count.
func (n *Network) forward(w models.Weights, own []*graph.Node) (counts *graph.Node) {
	switch m := n.model; {
	case m.Text != nil:
		m.Text.Hidden(w, own[0], own[1])
		return within(own[1], own[0].Shape().Dim(1))
	case m.Image != nil:
		v := m.Image.Vector(w, n.images(own[0]))
		if m.Image.Logits != nil {
			m.Image.Logits(w, v)
		}
	default:
		m.Forward(w, n.images(own[0]))
	}
	return own[1]
}

// within is 1 for the tokens before the ends of sequences of some lengths, int32 [B], 0
// behind them: float32 [B, T].
func within(lengths *graph.Node, t int) *graph.Node {
	place := graph.Iota(lengths.Graph(), shapes.Make(dtypes.Int32, lengths.Shape().Dim(0), t), 1)
	return graph.ConvertDType(graph.LessThan(place, graph.BroadcastToShape(graph.InsertAxes(lengths, -1), place.Shape())), dtypes.Float32)
}

// layers finds the model's linear layers, by building its graph once.
func (n *Network) layers() (out []layer, err error) {
	in := []shapes.Shape{shapes.Make(dtypes.Int32, 1, 2), shapes.Make(dtypes.Int32, 1)}
	if n.model.Text == nil {
		in = []shapes.Shape{shapes.Make(dtypes.Float32, append([]int{1}, n.model.Input...)...), shapes.Make(dtypes.Float32, 1)}
	}
	for _, t := range n.model.Tensors {
		in = append(in, shapes.Make(dtypes.Float32, t.Shape...))
	}
	e, err := graph.NewExec(n.backend, func(args []*graph.Node) (counts *graph.Node) {
		models.Watch(args[0].Graph(), func(weight string, x *graph.Node, transposed bool) {
			out = append(out, layer{weight, transposed, x.Shape().Dim(-1)})
		}, func() { counts = n.forward(n.named(args[2:]), args[:2]) })
		return counts
	})
	if err == nil {
		defer e.Finalize()
		_, err = e.Compile(in...)
	}
	if err != nil {
		return nil, fmt.Errorf("the model's graph: %w", err)
	}
	if len(out) == 0 {
		return nil, errors.New("the model has no linear layer")
	}
	for i, l := range out {
		if slices.ContainsFunc(out[:i], func(m layer) bool { return m.weight == l.weight }) {
			return nil, fmt.Errorf("%s is multiplied with two inputs: its Gram matrix is not defined", l.weight)
		}
	}
	return out, nil
}

// grams is the program of a batch: it adds the products of each layer's inputs.
func (n *Network) grams(layers []layer) func(args []*graph.Node) []*graph.Node {
	return func(args []*graph.Node) []*graph.Node {
		k, sums := len(n.weights), args[len(args)-2*len(layers):]
		rest := args[:len(args)-len(sums)]
		own, weights := rest[:len(rest)-k], rest[len(rest)-k:]
		inputs := map[string]*graph.Node{}
		var counts *graph.Node
		models.Watch(args[0].Graph(), func(weight string, x *graph.Node, _ bool) { inputs[weight] = x }, func() {
			counts = n.forward(n.named(weights), own)
		})
		return addGrams(layers, inputs, counts, sums)
	}
}

// addGrams adds to the sums, a matrix and a number of inputs a layer, the products of
// what layers are given, of the rows that count: 1 or 0 for each row [B] or token [B, T].
func addGrams(layers []layer, inputs map[string]*graph.Node, counts *graph.Node, sums []*graph.Node) []*graph.Node {
	out := slices.Clone(sums)
	for i, l := range layers {
		x := inputs[l.weight]
		mask := counts
		for mask.Rank() < x.Rank()-1 {
			mask = graph.InsertAxes(mask, -1)
		}
		mask = graph.BroadcastToDims(mask, x.Shape().Dimensions[:x.Rank()-1]...)
		rows := mask.Shape().Size()
		flat := graph.Mul(graph.Reshape(x, rows, l.in), graph.Reshape(mask, rows, 1))
		out[2*i] = graph.Add(out[2*i], graph.Einsum("ri,rj->ij", flat, flat))
		out[2*i+1] = graph.Add(out[2*i+1], graph.Reshape(graph.ReduceAllSum(mask), 1))
	}
	return out
}

// gramSteps lists the batches.
func (n *Network) gramSteps(sets []*evaluate.Dataset) (steps []step, err error) {
	for _, d := range sets {
		if n.model.Text == nil {
			for from := 0; from < d.Len(); from += gramRows {
				steps = append(steps, step{gramsOfImages, func() ([]*gmlx.Tensor, error) {
					x, counts, err := n.rows(d, from, gramRows)
					return []*gmlx.Tensor{x, counts}, err
				}})
			}
			continue
		}
		for _, list := range alike(d.Sequences, n.model.Text.Longest()) {
			steps = append(steps, step{gramsOfTexts, func() ([]*gmlx.Tensor, error) {
				ids, lengths := n.sequence(list)
				return []*gmlx.Tensor{ids, lengths}, nil
			}})
		}
	}
	if len(steps) == 0 {
		return nil, errors.New("there is no example to measure on")
	}
	return steps, nil
}

// alike are the sequences in batches of one padded length.
func alike(all []evaluate.Sequence, limit int) (out [][]evaluate.Sequence) {
	by := map[int][]evaluate.Sequence{}
	var lengths []int
	for _, q := range all {
		t := evaluate.RoundLength(len(q.IDs), limit)
		if by[t] == nil {
			lengths = append(lengths, t)
		}
		by[t] = append(by[t], q)
	}
	slices.Sort(lengths)
	for _, t := range lengths {
		out = slices.AppendSeq(out, slices.Chunk(by[t], max(1, gramTokens/t)))
	}
	return out
}
