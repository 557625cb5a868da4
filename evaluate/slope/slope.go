package slope

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/merge"
)

// Objective is what shall fall.
type Objective string

// The objectives.
const (
	// Loss is the cross-entropy of the examples' answers.
	Loss Objective = "loss"
	// Entropy is that of the model's own answers, which needs no labels (Yang et al. 2024,
	// AdaMerging, arXiv:2310.02575).
	Entropy Objective = "entropy"
)

// Objectives lists them.
func Objectives() []string { return []string{string(Loss), string(Entropy)} }

// Slope gives the objective and its gradient on batches of examples.
type Slope struct {
	pop       *merge.Population
	model     *models.Model
	sets      []*evaluate.Dataset
	weights   []float64 // of each set, their magnitudes summing to 1
	objective Objective
	batch     int
	seed      uint64
	execs     map[programKey]*graph.Exec
}

type programKey struct {
	kind *merge.Kind
	text bool // of tokens
	set  int  // of images that are compared with what is the set's own, else 0
}

// New makes a slope of sets, in batches of so many examples of each. weight gives a task's
// share of the objective.
func New(pop *merge.Population, m *models.Model, sets []*evaluate.Dataset, weight func(task string) float64, o Objective, batch int, seed uint64) (*Slope, error) {
	s := &Slope{pop: pop, model: m, sets: sets, objective: o, batch: batch, seed: seed, execs: map[programKey]*graph.Exec{}}
	var total float64
	for _, d := range sets {
		switch {
		case d.Kind == "" || d.Kind == evaluate.Classification || d.Kind == evaluate.PerplexityKind:
		default:
			return nil, fmt.Errorf("task %s: %s has no gradient; classification and perplexity have", d.Name, d.Kind)
		}
		s.weights = append(s.weights, weight(d.Name))
		total += math.Abs(weight(d.Name))
	}
	for i := range s.weights {
		s.weights[i] /= total
	}
	return s, nil
}

// Finalize frees the compiled graphs.
func (s *Slope) Finalize() {
	for _, e := range s.execs {
		e.Finalize()
	}
}

// At returns the objective of a merge on the batch of a step, and its gradient with
// respect to the float32 coefficients that the merge's kind gives.
func (s *Slope) At(ctx context.Context, k *merge.Kind, spec *merge.Spec, step int) (value float64, gradient []float64, err error) {
	f, u, errs := k.Coefs([]*merge.Spec{spec})
	defer finalize([]*gmlx.Tensor{f, u})
	if errs[0] != nil {
		return 0, nil, errs[0]
	}
	stored, err := k.Resident(ctx)
	if err != nil {
		return 0, nil, err
	}
	for i := range s.sets {
		own, err := s.examples(i, step)
		if err != nil {
			return 0, nil, err
		}
		v, g, err := s.call(k, i, f, u, own, stored)
		finalize(own)
		if err != nil {
			return 0, nil, err
		}
		if gradient == nil {
			gradient = make([]float64, len(g))
		}
		value += s.weights[i] * v
		for j, x := range g {
			gradient[j] += s.weights[i] * float64(x)
		}
	}
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return 0, nil, fmt.Errorf("the %s is not a number", s.objective)
	}
	return value, gradient, nil
}

func (s *Slope) call(k *merge.Kind, set int, f, u *gmlx.Tensor, own, stored []*gmlx.Tensor) (float64, []float32, error) {
	d := s.sets[set]
	key := programKey{kind: k, text: d.Kind == evaluate.PerplexityKind}
	if s.model.Image != nil {
		key.set = set
	}
	e := s.execs[key]
	if e == nil {
		var err error
		e, err = graph.NewExec(s.pop.Backend(), func(args []*graph.Node) []*graph.Node {
			coefs := args[0]
			w := k.Weights(coefs, args[1], args[2+len(own):])
			var loss *graph.Node
			models.Differentiable(coefs.Graph(), func() { loss = s.loss(d, w, args[2:2+len(own)]) })
			return []*graph.Node{loss, graph.Gradient(loss, coefs)[0]}
		})
		if err != nil {
			return 0, nil, fmt.Errorf("preparing the gradient: %w", err)
		}
		s.execs[key] = e.SetMaxCache(-1)
	}
	args := []any{f, u}
	for _, list := range [][]*gmlx.Tensor{own, stored} {
		for _, t := range list {
			args = append(args, t)
		}
	}
	out, err := e.Call(args...)
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		return 0, nil, fmt.Errorf("the gradient: %s", line)
	}
	defer finalize(out)
	value, err := gmlx.CopyFlatData[float32](out[0])
	if err != nil {
		return 0, nil, err
	}
	g, err := gmlx.CopyFlatData[float32](out[1])
	return float64(value[0]), g, err
}

// draw lists the examples of a set's batch at a step: all are seen in turn, in an order
// drawn anew each time. A batch is no larger than the set, so that none is in it twice as
// often as another.
func (s *Slope) draw(set, step int) []int {
	n := s.sets[set].Len()
	out := make([]int, min(s.batch, n))
	round, order := -1, []int(nil)
	for i := range out {
		at := step*len(out) + i
		if at/n != round {
			round = at / n
			order = rand.New(rand.NewPCG(s.seed, uint64(set)<<32|uint64(round))).Perm(n)
		}
		out[i] = order[at%n]
	}
	return out
}

func finalize(list []*gmlx.Tensor) {
	for _, t := range list {
		_ = t.FinalizeAll()
	}
}
