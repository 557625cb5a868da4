package recipes

import (
	"strconv"

	"github.com/mergevo/mergevo/merge"
)

// Marshal writes the recipe in its canonical form: keys in a fixed order, the
// format version always, the shortest spelling of each number that reads back
// to the same bits, no comments. Parsing it gives an equal recipe.
func (r *Recipe) Marshal() []byte {
	t := r.method.table
	n := &node{kind: mapNode}
	n.put("mergevo", intNode(formatVersion))
	n.put("merge_method", r.method.encode())
	if r.base != "" {
		n.put("base_model", word(r.base))
	}
	list := &node{kind: listNode}
	for i := range r.models {
		list.items = append(list.items, r.models[i].encode(t))
	}
	if r.sliced {
		s := &node{kind: mapNode}
		s.put("sources", list)
		if p := r.slice.encode(t); p != nil {
			s.put("parameters", p)
		}
		if r.residual != nil {
			s.put("residual_weight", r.residual)
		}
		n.put("slices", &node{kind: listNode, items: []*node{s}})
	} else {
		n.put("models", list)
	}
	if p := r.global.encode(t); p != nil {
		n.put("parameters", p)
	}
	if r.dtype != 0 {
		n.put("dtype", word(r.dtype.Torch()))
	}
	if r.outDType != 0 {
		n.put("out_dtype", word(r.outDType.Torch()))
	}
	if r.seed != 0 {
		n.put("seed", &node{text: strconv.FormatUint(r.seed, 10)})
	}
	if r.Search != nil {
		n.put("search", r.Search.encode())
	}
	if r.provenance != nil {
		n.put("provenance", r.provenance)
	}
	return writeYAML(n)
}

func (m *model) encode(t table) *node {
	n := &node{kind: mapNode}
	n.put("model", word(m.ref))
	if m.layers != 0 {
		n.put("layer_range", flowList(intNode(0), intNode(m.layers)))
	}
	if p := m.params.encode(t); p != nil {
		n.put("parameters", p)
	}
	return n
}

func (m methodChoice) encode() *node {
	if !m.hole() {
		return word(m.methods[0].Name)
	}
	n := &node{flow: true}
	n.put("choose", flowList(names(m.methods)...))
	if m.hasStart {
		n.put("start", word(m.methods[m.start].Name))
	}
	return n
}

func names(methods []*merge.Method) []*node {
	var ns []*node
	for _, m := range methods {
		ns = append(ns, word(m.Name))
	}
	return ns
}
