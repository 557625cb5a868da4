package recipes

import (
	"encoding/json"
	"fmt"
	"strconv"

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

// Sources returns the content digests that provenance.sources pins, by model.
func (r *Recipe) Sources() map[string]string {
	out := map[string]string{}
	if n, ok := r.provenance.get("sources"); ok && n.kind == mapNode {
		for i, k := range n.keys {
			out[k.text] = n.items[i].text
		}
	}
	return out
}

// Relocate rewrites every model reference, those of provenance.sources too, for a
// recipe that is kept in another folder than the one it was read from.
func (r *Recipe) Relocate(to func(ref string) string) error {
	changed := *r
	// By way of names that nobody has: a new name may be what another model is
	// still called.
	between := func(ref string) string { return "mergevo-relocated:" + ref }
	for _, name := range []func(string) string{between, to} {
		if r.base != "" {
			if err := changed.Set("base_model", strconv.Quote(name(r.base))); err != nil {
				return err
			}
		}
		for i, m := range r.models {
			if err := changed.Set(fmt.Sprintf("models.%d.model", i), strconv.Quote(name(m.ref))); err != nil {
				return err
			}
		}
	}
	if pinned := r.Sources(); len(pinned) > 0 {
		moved := map[string]string{}
		for ref, digest := range pinned {
			moved[to(ref)] = digest
		}
		data, err := json.Marshal(moved)
		if err != nil {
			return err
		}
		if err := changed.Set("provenance.sources", string(data)); err != nil {
			return err
		}
	}
	*r = changed
	return nil
}
