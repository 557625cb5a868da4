package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/mergevo/mergevo/merge/align"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
)

// aligned is models whose units are put in the order in which they lie nearest to each
// other, which is found when it is first asked for.
type aligned struct {
	spec    *align.Spec
	names   []string
	sources []tensors.Source // as they are stored
	fixed   int              // the model that stays
	how     recipes.Align

	mu    sync.Mutex
	found []align.Orders // of each model; nil until it is known
}

// newAligned finds the units of models, and checks that they are the same in all.
func newAligned(models []*model, to string, how recipes.Align) (*aligned, error) {
	a := &aligned{how: how}
	specs := make([]*align.Spec, len(models))
	for i, m := range models {
		config, err := os.ReadFile(filepath.Join(m.folder.Dir(), "config.json"))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("model %s: no config.json in %s says what its units are", m.ref, m.folder.Dir())
		}
		if err != nil {
			return nil, plainPath(err)
		}
		if specs[i], err = align.New(config, m.source.Tensors(), align.Options{Residual: how.Residual}); err != nil {
			return nil, fmt.Errorf("model %s: %w", m.ref, err)
		}
		a.names, a.sources = append(a.names, m.ref), append(a.sources, m.source)
		if m.ref == to {
			a.fixed = i
		}
	}
	a.spec = specs[a.fixed]
	var problems []error
	for i, s := range specs {
		problems = append(problems, a.spec.Same(s, a.names[a.fixed], a.names[i]))
	}
	return a, errors.Join(problems...)
}

// view is a model in the order found.
func (a *aligned) view(i int) (tensors.Source, error) {
	return a.spec.On(a.sources[i], func() (align.Orders, error) {
		all, err := a.orders(context.Background(), nil)
		if err != nil {
			return nil, err
		}
		return all[i], nil
	})
}

// orders finds the orders, once. Progress is told in models and permutations.
func (a *aligned) orders(ctx context.Context, progress func(model string, done, of int)) ([]align.Orders, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.found != nil {
		return a.found, nil
	}
	told := align.Matching{Seed: a.how.Seed}
	if a.how.Together {
		if progress != nil {
			told.Progress = func(_ int, name string, done, of int) { progress(name, done, of) }
		}
		all, err := a.spec.Together(ctx, a.sources, a.fixed, told)
		if err != nil {
			return nil, err
		}
		a.found = all
		return all, nil
	}
	all := make([]align.Orders, len(a.sources))
	for i := range all {
		if i == a.fixed {
			all[i] = a.spec.Identity()
			continue
		}
		if progress != nil {
			told.Progress = func(_ int, name string, done, of int) { progress(a.names[i]+", "+name, done, of) }
		}
		var err error
		if all[i], err = a.spec.Match(ctx, a.sources[a.fixed], a.sources[i], told); err != nil {
			return nil, fmt.Errorf("aligning %s to %s: %w", a.names[i], a.names[a.fixed], err)
		}
	}
	a.found = all
	return all, nil
}

// take accepts orders that were found before, where they are of these units.
func (a *aligned) take(all []align.Orders) {
	if len(all) != len(a.sources) {
		return
	}
	for _, o := range all {
		if len(o) != len(a.spec.Permutations) {
			return
		}
		for k, p := range a.spec.Permutations {
			if len(o[k]) != p.Units {
				return
			}
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.found = all
}

// moved is how many units of a model stand elsewhere, and how many there are.
func (a *aligned) moved(i int) (moved, of int) {
	for k, n := range a.found[i].Moved() {
		moved, of = moved+n, of+a.spec.Permutations[k].Units
	}
	return moved, of
}

// align shows every model in the order that the recipe's align block asks for.
func (o *opened) align() error {
	how := o.recipe.Align
	if how == nil {
		return nil
	}
	if o.adapters != nil {
		return o.recipe.ErrorAt("align", "what adapters change has no units of its own; leave align out")
	}
	a, err := newAligned(o.models, o.recipe.AlignedTo(), *how)
	if err != nil {
		return o.recipe.ErrorAt("align", err.Error())
	}
	for i, m := range o.models {
		if m.source, err = a.view(i); err != nil {
			return err
		}
	}
	o.aligned = a
	return nil
}

// orders finds the orders of a recipe's models with progress, says what moved, and
// refuses others than the recipe pins.
func (o *opened) orders(ctx context.Context, v *voice) error {
	a := o.aligned
	if a == nil {
		return nil
	}
	known := a.found != nil
	progress := newBar(v.err, 1, 0, permutationsDone, v.json)
	all, err := a.orders(ctx, func(what string, done, of int) {
		progress.grow(int64(of))
		progress.set(int64(done), what)
	})
	progress.finish()
	if errors.Is(err, context.Canceled) {
		return coded{errInterrupted, errors.New("interrupted while models were aligned; nothing was written")}
	}
	if err != nil {
		return err
	}
	if pinned := o.recipe.Aligned(); pinned != "" && pinned != align.Digest(all) {
		return coded{errDigest, fmt.Errorf("the models' units are not in the order that the recipe was made with: its digest is %s, the recipe's provenance says %s\nhint: remove provenance.align from the recipe to merge it all the same", align.Digest(all), pinned)}
	}
	for i, name := range a.names {
		if !known && i != a.fixed {
			moved, of := a.moved(i)
			v.say("aligned %s to %s: %d of %d units moved", name, a.names[a.fixed], moved, of)
		}
	}
	return nil
}

func permutationsDone(n int64) string { return count(int(n), "set") + " of units" }

// alignedNote is the key of the note in which a run keeps the orders of its models.
const alignedNote = "align"

// digestOfOrders is part of a run's identity; "" without an align block.
func (o *opened) digestOfOrders() (string, error) {
	if o.aligned == nil {
		return "", nil
	}
	all, err := o.aligned.orders(context.Background(), nil)
	return align.Digest(all), err
}

// pinOrders is a provenance as JSON, with the digest of the orders that models are in.
func (o *opened) pinOrders(provenance map[string]any) ([]byte, error) {
	digest, err := o.digestOfOrders()
	if err != nil {
		return nil, err
	}
	if digest != "" {
		provenance["align"] = digest
	}
	return json.Marshal(provenance)
}
