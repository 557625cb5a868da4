package statistics

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/tensors"
)

// Labels says over which answers of an example the Fisher information is taken.
type Labels struct {
	// Given takes the answers in the data: the empirical Fisher. Otherwise it is the
	// expectation over what the model itself answers: exact over classes and options, and
	// for language models by Samples draws of each token.
	Given   bool
	Samples int
	// Seed keys the draws.
	Seed uint64
}

// Fisher measures the diagonal of the Fisher information of the model's weights over the
// examples (Matena & Raffel 2022, arXiv:2111.09832, eq. 3):
//
//	F = 1/N sum over examples x, sum over answers y, of p(y|x) (d log p(y|x) / d w)^2
//
// with the gradient of each example and answer squared by itself. It writes a tensor for
// each of floating point in from, the model's checkpoint, of the same name and shape in
// float32; weights that the model's graph does not read have 0.
func (n *Network) Fisher(ctx context.Context, sets []*evaluate.Dataset, l Labels, from tensors.Source, to string, metadata map[string]string, o Options) error {
	steps, count, err := n.questions(sets, l)
	if err != nil {
		return err
	}
	s := newSum(n.model.Tensors, parts(n.model.Tensors, 1, fisherTimes, n.left(o.Room, n.model.Tensors)))
	defer s.finalize()
	asks := n.asks(sets, l)
	if err := n.measure(ctx, s, steps, func(lo, hi int) map[mode]func([]*graph.Node) []*graph.Node {
		programs := map[mode]func([]*graph.Node) []*graph.Node{}
		for m, ask := range asks {
			programs[m] = n.squares(ask, lo, hi)
		}
		return programs
	}, o); err != nil {
		return err
	}
	var layout []tensors.Info
	for _, t := range from.Tensors() {
		if t.DType.Float() {
			layout = append(layout, tensors.Info{Name: t.Name, DType: tensors.F32, Shape: t.Shape})
		}
	}
	return write(to, layout, metadata, func(t tensors.Info) ([]float32, error) {
		i := slices.IndexFunc(s.infos, func(x tensors.Info) bool { return x.Name == t.Name })
		if i < 0 {
			return nil, nil
		}
		x, err := s.read(i)
		for j := range x {
			x[j] = float32(float64(x[j]) / count)
		}
		return x, err
	}, o.State)
}

// squares is the program of a way of asking: it adds the squares of the gradients by the
// weights [lo, hi).
func (n *Network) squares(ask ask, lo, hi int) func(args []*graph.Node) []*graph.Node {
	return func(args []*graph.Node) []*graph.Node {
		rest, sums := args[:len(args)-(hi-lo)], args[len(args)-(hi-lo):]
		own, weights := rest[:len(rest)-len(n.weights)], rest[len(rest)-len(n.weights):]
		out := slices.Clone(sums)
		var questions []question
		models.Differentiable(args[0].Graph(), func() { questions = ask(n.named(weights), own) })
		for _, q := range questions {
			for i, g := range graph.Gradient(q.log, weights[lo:hi]...) {
				out[i] = graph.Add(out[i], graph.Mul(q.factor, graph.Mul(g, g)))
			}
		}
		return out
	}
}

// questions lists the device calls, and counts the examples that they are the mean of.
func (n *Network) questions(sets []*evaluate.Dataset, l Labels) (steps []step, count float64, err error) {
	for i, d := range sets {
		var more []step
		switch {
		case d.Kind == evaluate.STS || d.Kind == evaluate.Generate:
			err = fmt.Errorf("task %s: %s gives no probability of an answer; use classification, choice or perplexity", d.Name, d.Kind)
		case n.model.Text == nil:
			more = n.ofImages(ofImages+mode(i), d, l)
		case d.Kind == evaluate.PerplexityKind:
			more = n.ofTexts(d, l)
		case d.Kind == evaluate.Choice:
			more = n.ofChoices(d, l)
		default:
			more = n.ofClasses(d, l)
		}
		if err != nil {
			return nil, 0, err
		}
		steps, count = append(steps, more...), count+float64(d.Len())
	}
	if len(steps) == 0 {
		return nil, 0, errors.New("there is no example to measure on")
	}
	return steps, count, nil
}
