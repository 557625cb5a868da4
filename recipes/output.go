package recipes

import "github.com/mergevo/mergevo/tensors"

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
