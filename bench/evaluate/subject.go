package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/internal/xla"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// length is the number of tokens of each text.
const length = 64

// subject is our way: parents and texts on the device.
type subject struct {
	dir        string
	open       []*tensors.Checkpoint
	pop        *merge.Population
	texts      *evaluate.Texts
	method     *merge.Method
	parameters int
	rng        *rand.Rand
	whole      []time.Duration
	merges     []time.Duration
}

func newSubject(b *xla.Backend, dir string, texts int) (_ *subject, err error) {
	s := &subject{dir: dir, rng: rand.New(rand.NewPCG(3, 3))}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	var sources []tensors.Source
	for _, name := range members {
		c, err := tensors.Open(s.path(name))
		if err != nil {
			return nil, err
		}
		s.open = append(s.open, c)
		sources = append(sources, c)
	}
	parents, err := merge.NewParents(members, sources, nil, merge.MissingRefuse, false)
	if err != nil {
		return nil, err
	}
	for _, t := range parents.Merged() {
		s.parameters += t.Len()
	}
	m, err := models.Load(s.open[0].Dir(), parents.Merged())
	if err != nil {
		return nil, err
	}
	if s.pop, err = merge.Load(b.Backend, parents); err != nil {
		return nil, err
	}
	head := &evaluate.Head{Classes: 2, Weight: make([]float32, 2*m.Text.Width), Bias: make([]float32, 2)}
	for i := range head.Weight {
		head.Weight[i] = float32(s.rng.NormFloat64())
	}
	d := &evaluate.Dataset{Name: "texts", Kind: evaluate.Classification, Head: head, Pooling: "mean"}
	for i := range texts {
		ids := make([]int32, length)
		for j := range ids {
			ids[j] = int32(1000 + (i*length+j)*7919%29000) // as peer.py has them
		}
		d.Sequences, d.Options = append(d.Sequences, evaluate.Sequence{IDs: ids}), append(d.Options, 1)
		d.Labels, d.Gold, d.Keys = append(d.Labels, int32(i%2)), append(d.Gold, 0), append(d.Keys, evaluate.Key{byte(i), byte(i >> 8)})
	}
	s.method, _ = merge.Lookup("task_arithmetic")
	s.texts, err = evaluate.TextsOnDevice(s.pop, m, []*evaluate.Dataset{d}, evaluate.NewPlan(m, 1, texts, b.Kind == "xla:cuda"))
	return s, err
}

func (s *subject) close() {
	if s.texts != nil {
		s.texts.Finalize()
	}
	if s.pop != nil {
		s.pop.Finalize()
	}
	for _, c := range s.open {
		c.Close()
	}
}

// candidate scores a merge with new weights.
func (s *subject) candidate(ctx context.Context) (float64, error) {
	var sources []merge.Values
	for range members[1:] {
		v := s.method.NewValues()
		v.Set("weight", s.rng.Float64())
		sources = append(sources, v)
	}
	spec := &merge.Spec{Method: s.method, Parts: []merge.Part{{Base: 0, Inputs: []int{1, 2, 3}}}, DType: tensors.F16,
		Params: func(string) (merge.Values, []merge.Values) { return s.method.NewValues(), sources }}
	began, merging := time.Now(), s.texts.Merging()
	results, err := s.texts.Evaluate(ctx, []evaluate.Model{{Spec: spec}})
	if err != nil {
		return 0, err
	}
	took := time.Since(began)
	s.whole, s.merges = append(s.whole, took), append(s.merges, s.texts.Merging()-merging)
	return took.Seconds(), results[0].Err
}

// share is the merge's part of all candidates but the first, which compiled.
func (s *subject) share() float64 {
	var merges, whole time.Duration
	for i := 1; i < len(s.whole); i++ {
		merges, whole = merges+s.merges[i], whole+s.whole[i]
	}
	return merges.Seconds() / whole.Seconds()
}
