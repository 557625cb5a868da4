package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mergevo/mergevo/adapters"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/modeldir"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors/view"
)

// readChange opens a model that is an adapter without a model.
func (m *model) readChange() (err error) {
	if m.lora.path != "" {
		return fmt.Errorf("%s is an adapter itself; the model comes first: model+adapter", m.at.path)
	}
	if err := m.checkpoint.Close(); err != nil {
		return err
	}
	m.checkpoint = nil
	if m.change, err = view.OpenAdapter(m.at.path); err != nil {
		return err
	}
	m.checkpoint = m.change.Weights()
	m.folder, err = modeldir.Open(m.checkpoint.Dir())
	return err
}

// joinAdapters matches the modules of models that are adapters, if any are: all must
// be. What is merged then are their products, or with space: factors their factors.
func (o *opened) joinAdapters(ctx context.Context, how opening) error {
	var list []*view.Adapter
	var names []string
	var model string
	for _, m := range o.models {
		switch {
		case m.ref == recipes.NoChange:
		case m.change == nil:
			model = m.ref
		default:
			list, names = append(list, m.change), append(names, m.ref)
		}
	}
	asked := o.recipe.Adapters
	switch onto := o.recipe.Adapted(); {
	case len(list) == 0 && onto != "":
		return o.recipe.ErrorAt("adapted_model", "it is for recipes whose models are adapters alone; these are models")
	case len(list) == 0 && asked == nil:
		return nil
	case onto != "" && !ofFactors(o.recipe):
		return o.recipe.ErrorAt("adapted_model", "what is put on a model to be scored are averages of factors: say adapters: {space: factors}, or list MODEL+ADAPTER to merge products")
	case len(list) == 0:
		return usage(fmt.Errorf("the recipe has an adapters block, but %s is a model, not an adapter", model))
	case model != "":
		return usage(fmt.Errorf("%s is an adapter and %s a model: write %s+%s for the model with the adapter, or list adapters alone to merge them with each other", names[0], model, model, names[0]))
	case o.recipe.Tokenizer != nil || o.recipe.ChatTemplate != "":
		return usage(errors.New("adapters have no tokenizer: remove tokenizer and chat_template from the recipe"))
	}
	var err error
	if o.adapters, err = adapters.Join(list, names); err != nil {
		return err
	}
	sources := o.adapters.Products()
	if asked != nil && asked.Factors {
		if sources, err = o.adapters.Factors(); err != nil {
			return err
		}
	}
	if ref := o.recipe.Adapted(); ref != "" {
		if name := o.adapters.Copied(); name != "" {
			return o.recipe.ErrorAt("adapted_model", name+" is a copy of a model's weight, which would be loaded in place of this model's: list MODEL+ADAPTER instead")
		}
		if o.onto, err = how.open(ctx, ref); err != nil {
			return fmt.Errorf("adapted_model %s: %w", ref, err)
		}
		if o.products, err = list[0].Products(o.onto.source); err != nil {
			return err
		}
	}
	for _, m := range o.models {
		if m.ref == recipes.NoChange {
			m.source, m.folder = o.adapters.Nothing(), o.donor().folder
			continue
		}
		m.source, sources = sources[0], sources[1:]
	}
	return nil
}

// listed are the models that the recipe names.
func (o *opened) listed() []*model {
	if o.models[0].ref == recipes.NoChange {
		return o.models[1:]
	}
	return o.models
}

// noun is what the models are.
func (o *opened) noun() string {
	if o.adapters != nil {
		return "adapter"
	}
	return "model"
}

// bare reports whether a model is an adapter without a model.
func (m *model) bare() bool { return m.change != nil }

// read lists the models that are read: the recipe's, and the one that its adapters are
// put on.
func (o *opened) read() []*model {
	if o.onto == nil {
		return o.models
	}
	return append(o.models[:len(o.models):len(o.models)], o.onto)
}

// runs is the model whose configuration and tokenizer candidates are run with.
func (o *opened) runs() *model {
	if o.onto != nil {
		return o.onto
	}
	return o.donor()
}

// putOn is what adapters are put on, on the device; nil where models are merged.
func (o *opened) putOn() *merge.Onto {
	if o.onto == nil {
		return nil
	}
	return &merge.Onto{Model: o.onto.source, Products: o.products}
}

// leftOut says of which parts of adapters nothing is added, since the model lacks them.
func (o *opened) leftOut() (lines []string) {
	for _, m := range o.models {
		if m.adapter == nil || m.checkpoint == nil {
			continue
		}
		out := m.adapter.LeftOut(m.checkpoint)
		for _, part := range slices.Sorted(maps.Keys(out)) {
			_, adapter := m.parts()
			if part == "" {
				part = "no part in particular"
			}
			lines = append(lines, fmt.Sprintf("%s of %s (%s) fit nothing in %s and are left out", count(out[part], "module"), adapter, strings.ReplaceAll(part, "_", " "), m.at.path))
		}
	}
	return lines
}

// refuseAdapters refuses, for what needs a model, a recipe of adapters alone.
func (o *opened) refuseAdapters(what string) error {
	if o.adapters == nil {
		return nil
	}
	return usage(fmt.Errorf("the recipe merges adapters, and %s needs models: write model+adapter for each", what))
}
