package recipes

import (
	"slices"
	"strings"

	"github.com/mergevo/mergevo/merge"
)

// setting is what a recipe says of a parameter: exactly one of a number, a hole,
// a gradient over the layers, or a list of filters.
type setting struct {
	place
	number   float64 // booleans are 0 or 1
	hole     *hole
	gradient []setting // of numbers and holes
	filters  []filtered
}

// filtered is the setting of the tensors whose name contains filter; of all
// where that is empty.
type filtered struct {
	place  // of the filter
	filter string
	value  setting // not of filters
}

// parameter is a named setting.
type parameter struct {
	place // of the name
	name  string
	setting
}

// walk visits the setting and everything in it.
func (s *setting) walk(visit func(*setting)) {
	visit(s)
	for i := range s.gradient {
		s.gradient[i].walk(visit)
	}
	for i := range s.filters {
		s.filters[i].value.walk(visit)
	}
}

// holes lists the setting's holes in the order they are written.
func (s *setting) holes() []*hole {
	var hs []*hole
	s.walk(func(s *setting) {
		if s.hole != nil {
			hs = append(hs, s.hole)
		}
	})
	return hs
}

// setting decodes a parameter's value. The rows are the parameter's in each of
// the methods that have it.
func (d *decoder) setting(n *node, rows []merge.Param) (setting, bool) {
	switch {
	case n.kind == mapNode && !isHole(n):
		e, ok := d.filtered(n, rows)
		return setting{place: n.place, filters: []filtered{e}}, ok
	case n.kind == listNode && len(n.items) > 0 && n.items[0].kind == mapNode && !isHole(n.items[0]):
		s := setting{place: n.place}
		good := true
		for _, item := range n.items {
			e, ok := d.filtered(item, rows)
			good = good && ok
			s.filters = append(s.filters, e)
		}
		return s, good
	}
	return d.unfiltered(n, rows)
}

// unfiltered decodes a number, a hole or a gradient.
func (d *decoder) unfiltered(n *node, rows []merge.Param) (setting, bool) {
	if n.kind != listNode {
		return d.point(n, rows)
	}
	if len(n.items) == 0 {
		d.at(n.place, "%s is an empty list", rows[0].Name)
		return setting{}, false
	}
	s := setting{place: n.place}
	good := true
	for _, item := range n.items {
		p, ok := d.point(item, rows)
		good = good && ok
		s.gradient = append(s.gradient, p)
	}
	return s, good
}

// point decodes a number or a hole.
func (d *decoder) point(n *node, rows []merge.Param) (setting, bool) {
	if n.kind == mapNode && !isHole(n) {
		d.at(n.place, "filters cannot stand inside a list of numbers or another filter")
		return setting{}, false
	}
	if n.kind == mapNode {
		h := d.hole(n, rows)
		return setting{place: n.place, hole: h}, h != nil
	}
	v, ok := d.value(n, rows)
	return setting{place: n.place, number: v}, ok
}

// isHole tells a hole from an entry with a filter; a mapping that is neither is
// taken for what its keys are nearest to.
func isHole(n *node) bool {
	if n.kind != mapNode {
		return false
	}
	for _, k := range n.keys {
		if k.text == "filter" || k.text == "value" {
			return false
		}
		if slices.Contains(holeKeys, k.text) {
			return true
		}
	}
	for _, k := range n.keys {
		if near, ok := nearest(k.text, append([]string{"filter", "value"}, holeKeys...)); ok {
			return near != "filter" && near != "value"
		}
	}
	return true
}

func (d *decoder) filtered(n *node, rows []merge.Param) (filtered, bool) {
	f := d.fields(n, "an entry of a list of filters", []string{"filter", "value"})
	if f == nil {
		return filtered{}, false
	}
	e := filtered{place: n.place}
	good := true
	if filter, ok := f["filter"]; ok && !filter.null() {
		e.place = filter.place
		e.filter, good = d.text(filter, "filter")
		if e.filter == "*" {
			e.filter = ""
		}
	}
	value, ok := f["value"]
	if !ok {
		d.at(n.place, "the entry has no value")
		return e, false
	}
	e.value, ok = d.unfiltered(value, rows)
	return e, ok && good
}

// value decodes a number or boolean in the range of every row.
func (d *decoder) value(n *node, rows []merge.Param) (float64, bool) {
	row := rows[0]
	v, ok := n.number()
	if row.Bool {
		if b, isBool := n.boolean(); isBool {
			v, ok = 0, true
			if b {
				v = 1
			}
		}
	}
	if row.Choices != nil {
		i := slices.Index(row.Choices, n.text)
		v, ok = float64(i), n.kind == scalarNode && i >= 0
	}
	if !ok {
		d.hint(n.place, d.didYouMean(n.text, row.Choices), "%s is %s, not %s", row.Name, kindOf(row), n.describe())
		return 0, false
	}
	for _, row := range rows {
		if err := row.Check(v); err != nil {
			d.at(n.place, "%v", err)
			return 0, false
		}
	}
	return v, true
}

func kindOf(row merge.Param) string {
	switch {
	case row.Bool:
		return "true or false"
	case row.Choices != nil:
		return strings.Join(row.Choices, " or ")
	}
	return "a number"
}

// stepped reports whether a parameter's values lie in no order.
func stepped(row merge.Param) bool { return row.Bool || row.Choices != nil }

// valueNode writes a parameter's value.
func valueNode(row merge.Param, v float64) *node {
	switch {
	case row.Bool:
		return boolNode(v != 0)
	case row.Choices != nil:
		return word(row.Choices[int(v)])
	}
	return numberNode(v)
}

// encode writes the setting of a parameter.
func (s *setting) encode(row merge.Param) *node {
	switch {
	case s.hole != nil:
		return s.hole.encode(row)
	case s.gradient != nil:
		list := flowList()
		for i := range s.gradient {
			list.items = append(list.items, s.gradient[i].encode(row))
		}
		return list
	case s.filters != nil:
		list := &node{kind: listNode}
		for i := range s.filters {
			e := &s.filters[i]
			n := &node{flow: true}
			if e.filter != "" {
				n.put("filter", word(e.filter))
			}
			n.put("value", e.value.encode(row))
			list.items = append(list.items, n)
		}
		return list
	}
	return valueNode(row, s.number)
}
