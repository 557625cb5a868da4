package main

import (
	"slices"
	"strings"

	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tensors/view"
)

// headNames are output matrices, embeddingNames the token embeddings that models
// with tied weights use in their place; both as the ends of tensors' names.
var (
	headNames      = []string{"lm_head.weight", "embed_out.weight", "output_layer.weight"}
	embeddingNames = []string{"embed_tokens.weight", "wte.weight", "word_embeddings.weight", "embed_in.weight", "tok_embeddings.weight", "shared.weight"}
)

func named(t tensors.Info, ends []string) bool {
	return len(t.Shape) == 2 && slices.ContainsFunc(ends, func(end string) bool {
		return t.Name == end || strings.HasSuffix(t.Name, "."+end)
	})
}

// shareHeads gives a model without an output matrix its embedding under that name
// where another model has the matrix: its weights are tied.
func (o *opened) shareHeads() error {
	for _, m := range o.models {
		for _, t := range m.source.Tensors() {
			if !named(t, headNames) {
				continue
			}
			for _, other := range o.models {
				if _, has := other.source.Lookup(t.Name); has {
					continue
				}
				embedding, ok := embeddingOf(other.source, t.Shape[1])
				if !ok {
					continue
				}
				var err error
				if other.source, err = view.Alias(other.source, t.Name, embedding); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// embeddingOf finds a model's token embedding of the given width.
func embeddingOf(s tensors.Source, width int) (string, bool) {
	for _, t := range s.Tensors() {
		if named(t, embeddingNames) && t.Shape[1] == width {
			return t.Name, true
		}
	}
	return "", false
}
