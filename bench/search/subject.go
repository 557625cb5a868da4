package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/internal/xla"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
)

// subject is what is measured: a recipe's search as `mergevo search` sets it up,
// and the candidates of its first generation.
type subject struct {
	backend *xla.Backend
	open    []*tensors.Checkpoint
	parents *merge.Parents
	pop     *merge.Population
	model   *models.Model
	sets    []*evaluate.Dataset
	plan    evaluate.Plan
	specs   []*merge.Spec
}

// openSubject reads a recipe whose models and data lie beside it.
func openSubject(ctx context.Context, b *xla.Backend, file string) (_ *subject, err error) {
	r, err := recipes.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if r.Search == nil || !r.HasHoles() {
		return nil, fmt.Errorf("%s: nothing to search", file)
	}
	s := &subject{backend: b}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	dir := filepath.Dir(file)
	for _, ref := range r.Models() {
		c, err := tensors.Open(beside(dir, ref))
		if err != nil {
			return nil, fmt.Errorf("model %s: %w", ref, err)
		}
		s.open = append(s.open, c)
	}
	if s.parents, err = merge.NewParents(r.Models(), s.open, nil, merge.MissingRefuse, r.DType() != 0); err != nil {
		return nil, err
	}
	if s.model, err = models.Load(s.open[0].Dir(), s.open[0].Tensors()); err != nil {
		return nil, err
	}
	if err := s.model.Check(s.parents.Merged()); err != nil {
		return nil, err
	}
	if err := s.load(r.Search, dir); err != nil {
		return nil, err
	}
	if err := s.ask(ctx, r); err != nil {
		return nil, err
	}
	s.plan = evaluate.NewPlan(s.model, len(s.specs), s.examples(), b.Kind == "xla:cuda")
	s.pop, err = merge.Load(b.Backend, s.parents)
	return s, err
}

func beside(dir, ref string) string {
	if filepath.IsAbs(ref) {
		return ref
	}
	return filepath.Join(dir, ref)
}

// load reads the examples that a search scores its candidates on.
func (s *subject) load(search *recipes.Search, dir string) error {
	for _, t := range search.Tasks {
		if t.Limit == recipes.LimitAuto {
			return fmt.Errorf("task %s: limit: auto is mergevo's to resolve; write the number", t.Name)
		}
		parts, err := evaluate.Load(evaluate.Task{Name: t.Name, Data: beside(dir, t.Data), Inputs: t.Inputs, Targets: t.Targets,
			Rotate: t.Rotate, Labels: t.Labels, Limit: t.Limit, SampleSeed: t.SampleSeed, Split: evaluate.Split(t.Split)}, s.model.Input, s.model.Outputs)
		if err != nil {
			return err
		}
		if parts[evaluate.Search] == nil {
			return fmt.Errorf("task %s has no example to search on", t.Name)
		}
		s.sets = append(s.sets, parts[evaluate.Search])
	}
	return nil
}

// ask draws the candidates: what the recipe's optimizer asks for first.
func (s *subject) ask(ctx context.Context, r *recipes.Recipe) error {
	family, err := r.Bind(s.parents.Merged())
	if err != nil {
		return err
	}
	box := family.Box()
	for _, a := range evolve.Optimizers() {
		if a.Name != r.Search.Optimizer.Name {
			continue
		}
		o, err := a.New(box, evolve.Settings{Population: r.Search.Optimizer.Population, Sigma: r.Search.Optimizer.Sigma, Seed: 1})
		if err != nil {
			return err
		}
		asked, err := o.Ask(ctx)
		if err != nil {
			return err
		}
		for _, c := range asked {
			spec, err := family.Spec(box.Values(c.Genome))
			if err != nil {
				return err
			}
			if len(s.specs) > 0 && spec.Method != s.specs[0].Method {
				return fmt.Errorf("the recipe searches its merge_method; one graph is measured, so name one method")
			}
			s.specs = append(s.specs, spec)
		}
		return nil
	}
	return fmt.Errorf("no optimizer %q", r.Search.Optimizer.Name)
}

func (s *subject) examples() int {
	n := 0
	for _, d := range s.sets {
		n += d.Len()
	}
	return n
}

func (s *subject) close() {
	if s.pop != nil {
		s.pop.Finalize()
	}
	for _, c := range s.open {
		_ = c.Close()
	}
}
