package main

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors/view"
)

// Merges in the space of adapters: the models of a recipe are adapters alone, whose
// factors are merged tensor by tensor, and what is written is an adapter. To be scored, it
// is put on the recipe's adapted_model.

// Names of the files of an adapter.
const (
	adapterWeights = "adapter_model.safetensors"
	adapterConfig  = "adapter_config.json"
)

// bare reports whether a model is an adapter without a model.
func (m *model) bare() bool {
	return m.checkpoint != nil && filepath.Base(m.checkpoint.Files()[0]) == adapterWeights
}

// openAdapters opens the model that a recipe's adapters are put on, and checks that they
// are adapters whose factors can be merged.
func (o *opened) openAdapters(ctx context.Context, how opening) (err error) {
	bare := slices.IndexFunc(o.models, (*model).bare)
	whole := slices.IndexFunc(o.models, func(m *model) bool { return !m.bare() })
	switch {
	case bare < 0 && o.recipe.Adapted() != "":
		return o.recipe.ErrorAt("adapted_model", "it is for recipes whose models are adapters alone; these are models")
	case bare < 0:
		return nil
	case whole >= 0:
		return fmt.Errorf("%s is an adapter and %s is a model: merge adapters with adapters, or on their model, as MODEL+ADAPTER", o.models[bare].ref, o.models[whole].ref)
	}
	if ref := o.recipe.Adapted(); ref != "" {
		if o.onto, err = how.open(ctx, ref); err != nil {
			return fmt.Errorf("adapted_model %s: %w", ref, err)
		}
	}
	var first map[string]float32
	for _, m := range o.models {
		if m.at.hollow {
			continue // its config comes with its weights
		}
		a, err := view.OpenAdapter(m.checkpoint.Dir())
		if err != nil {
			return fmt.Errorf("model %s: %w", m.ref, err)
		}
		scales, err := a.Factors()
		if err == nil && o.onto != nil && o.products == nil {
			o.products, err = a.Products(o.onto.source)
		}
		_ = a.Close()
		if err != nil {
			return fmt.Errorf("model %s: %w", m.ref, err)
		}
		if first == nil {
			first = scales
		}
		for _, name := range slices.Sorted(maps.Keys(first)) {
			if s, ok := scales[name]; ok && s != first[name] {
				return fmt.Errorf("model %s: %s is scaled by alpha/r = %g, in %s by %g: factors of different scales have no mean; merge the adapters on their model, as MODEL+ADAPTER", m.ref, name, s, o.models[0].ref, first[name])
			}
		}

	}
	return nil
}

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

// weightsFile is the name of the file of weights that is written, "" for the usual one.
func (o *opened) weightsFile() string {
	if o.donor().bare() {
		return adapterWeights
	}
	return ""
}
