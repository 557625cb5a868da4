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
	if r.document != "" {
		n.put("name", word(r.document))
	}
	n.put("merge_method", r.method.encode())
	if r.Base() != "" {
		n.put("base_model", word(r.base))
	}
	if r.adapted != "" {
		n.put("adapted_model", word(r.adapted))
	}
	switch {
	case r.Init != nil:
		n.put("init", r.Init.block)
	case r.form == asModels:
		n.put("models", r.encodeModels(&r.slices[0]))
	case r.form == asSlices:
		n.put("slices", r.encodeSlices(seq(len(r.slices))))
	case r.form == asModules:
		list := &node{kind: mapNode}
		for i := range r.modules {
			m, entry := &r.modules[i], &node{kind: mapNode}
			if m.sliced {
				entry.put("slices", r.encodeSlices(m.slices))
			} else {
				entry.put("models", r.encodeModels(&r.slices[m.slices[0]]))
			}
			if p := m.params.encode(t); p != nil {
				entry.put("parameters", p)
			}
			list.put(m.name, entry)
		}
		n.put("modules", list)
	}
	if p := r.global.encode(t); p != nil {
		n.put("parameters", p)
	}
	r.pieces.encode(n)
	if r.flow != nil {
		r.flow.encode(n, r)
	}
	r.Adapters.encode(n)
	r.Align.encode(n)
	if r.dtype != 0 {
		n.put("dtype", word(r.dtype.Torch()))
	}
	if r.outDType != 0 {
		n.put("out_dtype", word(r.outDType.Torch()))
	}
	r.Tokenizer.encode(n)
	if r.ChatTemplate != "" {
		n.put("chat_template", word(r.ChatTemplate))
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

func (r *Recipe) encodeModels(s *slice) *node {
	list := &node{kind: listNode}
	for _, i := range s.models {
		list.items = append(list.items, r.models[i].encode(r.method.table))
	}
	return list
}

func (r *Recipe) encodeSlices(of []int) *node {
	list := &node{kind: listNode}
	for _, i := range of {
		s, n := &r.slices[i], &node{kind: mapNode}
		n.put("sources", r.encodeModels(s))
		if s.base != "" {
			n.put("base_model", word(s.base))
		}
		if p := s.params.encode(r.method.table); p != nil {
			n.put("parameters", p)
		}
		if s.residual != nil {
			n.put("residual_weight", s.residual)
		}
		list.items = append(list.items, n)
	}
	return list
}

// seq is 0, 1, ... n-1.
func seq(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

func (m *model) encode(t table) *node {
	n := &node{kind: mapNode}
	n.put("model", m.encodeChoice())
	if m.to != 0 {
		n.put("layer_range", m.encodeRange())
	}
	for _, s := range merge.Statistics() {
		if file := m.files[s]; file != "" {
			n.put(s.Name, word(file))
		}
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
