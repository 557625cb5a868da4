package recipes

import (
	"slices"
	"strings"

	"github.com/mergevo/mergevo/merge"
)

// scope is one `parameters` mapping.
type scope struct {
	params []parameter
	// inert are parameters that change no number, kept as they were written.
	inert []inert
}

type inert struct {
	name  string
	value *node
}

func (s *scope) find(name string) *parameter {
	for i := range s.params {
		if s.params[i].name == name {
			return &s.params[i]
		}
	}
	return nil
}

// table is what the methods that a recipe may choose say of its parameters.
type table struct{ methods []*merge.Method }

// rows returns the parameter's row in each method that has it.
func (t table) rows(name string) []merge.Param {
	var rows []merge.Param
	for _, m := range t.methods {
		if p, ok := m.Param(name); ok {
			rows = append(rows, p)
		}
	}
	return rows
}

// canonical returns the name of the parameter that a name is another spelling of.
func (t table) canonical(name string) string {
	for _, m := range t.methods {
		for _, p := range m.Params {
			if slices.Contains(p.Aliases, name) {
				return p.Name
			}
		}
	}
	return name
}

// names lists the parameters in the order of the rows, each once.
func (t table) names() []string {
	var names []string
	for _, m := range t.methods {
		for _, p := range m.Params {
			if !slices.Contains(names, p.Name) {
				names = append(names, p.Name)
			}
		}
	}
	return names
}

// inert says whether a parameter does nothing: mergekit takes int8_mask
// everywhere, and it only changes the type of a temporary there.
func (t table) inert(name string) bool {
	return name == "int8_mask" || slices.ContainsFunc(t.methods, func(m *merge.Method) bool {
		return slices.Contains(m.Inert, name)
	})
}

func (t table) String() string {
	var names []string
	for _, m := range t.methods {
		names = append(names, m.Name)
	}
	return strings.Join(names, " or ")
}

// level says whose parameters a scope holds.
type level uint8

const (
	ofModel  level = iota // of one model
	ofSlice               // of the one slice: as global, but looked up first
	ofRecipe              // of the whole recipe
)

// scope decodes a `parameters` mapping.
func (d *decoder) scope(n *node, of level, t table, r *Recipe) scope {
	var s scope
	if n == nil || n.null() || len(t.methods) == 0 {
		return s
	}
	if n.kind != mapNode {
		d.at(n.place, "parameters is a mapping, not %s", n.describe())
		return s
	}
	for i, k := range n.keys {
		name := t.canonical(k.text)
		rows := t.rows(name)
		switch {
		case s.find(name) != nil:
			d.at(k.place, "%s is %s, which is there already", k.text, name)
			continue
		case len(rows) == 0 && t.inert(k.text):
			s.inert = append(s.inert, inert{k.text, n.items[i]})
			r.note(k.place, "%s changes no number with %v: accepted and ignored, as mergekit does", k.text, t)
			continue
		case len(rows) == 0:
			d.unknownParameter(k, t)
			continue
		case of == ofModel && !rows[0].PerSource:
			d.hint(k.place, "put it under the top-level parameters", "%s is one value for all models, not one a model", k.text)
			continue
		}
		v, ok := d.setting(n.items[i], rows)
		// A bad setting is kept: the recipe fails anyway, and what else is wrong
		// must not include that the parameter is missing.
		if ok && (of == ofModel || !rows[0].PerSource) {
			d.refusePerModel(&v, rows[0], of)
		}
		s.params = append(s.params, parameter{place: k.place, name: name, setting: v})
	}
	// The order of rows, so that equal recipes are written alike.
	order := t.names()
	slices.SortStableFunc(s.params, func(a, b parameter) int {
		return slices.Index(order, a.name) - slices.Index(order, b.name)
	})
	slices.SortStableFunc(s.inert, func(a, b inert) int { return strings.Compare(a.name, b.name) })
	return s
}

func (d *decoder) unknownParameter(k *node, t table) {
	var others []string
	for _, m := range merge.Methods() {
		if _, ok := m.Param(k.text); ok {
			others = append(others, m.Name)
		}
	}
	all := "its parameters: "
	if others != nil {
		all = strings.Join(others, ", ") + " has it; " + all
	}
	d.hint(k.place, d.meantKey(k.text, t.names(), all), "%v has no parameter %q", t, shorten(k.text))
}

func (d *decoder) refusePerModel(s *setting, row merge.Param, of level) {
	for _, h := range s.holes() {
		switch {
		case h.per == nil || !h.per.model:
		case of == ofModel:
			d.hint(h.place, "put the hole under the top-level parameters", "per: model under one model")
		default:
			d.at(h.place, "per: model for %s, which is one value for all models", row.Name)
		}
	}
}

func (s *scope) encode(t table) *node {
	if len(s.params)+len(s.inert) == 0 {
		return nil
	}
	n := &node{kind: mapNode}
	for i := range s.params {
		p := &s.params[i]
		n.put(p.name, p.setting.encode(t.rows(p.name)[0]))
	}
	for _, p := range s.inert {
		n.put(p.name, p.value)
	}
	return n
}
