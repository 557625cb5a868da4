package recipes

import (
	"slices"

	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// DType returns the type that merged tensors are written in: out_dtype, else
// dtype, else 0, which keeps the stored type.
func (r *Recipe) DType() tensors.DType {
	if r.outDType != 0 {
		return r.outDType
	}
	return r.dtype
}

// Name returns what other documents of the file call this recipe's result, "" for
// the one that the file is for.
func (r *Recipe) Name() string { return r.document }

// Sources returns the content digests that provenance.sources pins, by model.
func (r *Recipe) Sources() map[string]string { return r.pinned("sources") }

// Commits returns the commits that provenance.commits pins, by the model's or
// adapter's name on the Hub.
func (r *Recipe) Commits() map[string]string { return r.pinned("commits") }

func (r *Recipe) pinned(key string) map[string]string {
	out := map[string]string{}
	if n, ok := r.provenance.get(key); ok && n.kind == mapNode {
		for i, k := range n.keys {
			out[k.text] = n.items[i].text
		}
	}
	return out
}

// Relocate rewrites every reference to a model or to a file of statistics, those of provenance.sources too, for a
// recipe that is kept in another folder than the one it was read from.
func (r *Recipe) Relocate(to func(ref string) string) error {
	moved := *r
	if r.Base() != "" {
		moved.base = to(r.base)
	}
	if r.adapted != "" {
		moved.adapted = to(r.adapted)
	}
	moved.models, moved.slices = slices.Clone(r.models), slices.Clone(r.slices)
	for i := range moved.models {
		moved.models[i].ref = to(r.models[i].ref)
		moved.models[i].refs = nil
		for _, ref := range r.models[i].refs {
			moved.models[i].refs = append(moved.models[i].refs, to(ref))
		}
		moved.models[i].files = map[*merge.Statistic]string{}
		for s, file := range r.models[i].files {
			moved.models[i].files[s] = to(file)
		}
	}
	for i, s := range moved.slices {
		if s.base != "" {
			moved.slices[i].base = to(s.base)
		}
	}
	if r.flow != nil {
		fl := *r.flow
		fl.start = to(fl.start)
		moved.flow = &fl
	}
	moved.Tokenizer, moved.Align = r.Tokenizer.renamed(to), r.Align.renamed(to)
	if n, ok := r.provenance.get("sources"); ok && n.kind == mapNode {
		moved.provenance = r.provenance.replaced("sources", renamedKeys(n, to))
	}
	// Through the text, so that places and notes are those of what is written.
	written, err := Parse(r.name, moved.Marshal())
	if err != nil {
		return err
	}
	*r = *written
	return nil
}

// replaced is a mapping with another value for one of its keys.
func (n *node) replaced(key string, v *node) *node {
	out := *n
	out.items = slices.Clone(n.items)
	for i, k := range n.keys {
		if k.text == key {
			out.items[i] = v
		}
	}
	return &out
}
