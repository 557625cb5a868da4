package recipes

import (
	"math"
	"slices"
	"strings"

	"github.com/mergevo/mergevo/merge"
)

// hole is a value that a search fills: {search: [lo, hi]} or {choose: [a, b]}.
type hole struct {
	place
	byDefault bool // {search: default}: the row's Low, High and Start
	lo, hi    float64
	start     float64 // of a choice: its index
	hasStart  bool
	log, int  bool
	grid      float64
	choices   []float64
	per       *per
}

var holeKeys = []string{"search", "choose", "start", "scale", "int", "per"}

// hole decodes a hole for a parameter that the rows describe.
func (d *decoder) hole(n *node, rows []merge.Param) *hole {
	row := rows[0]
	f := d.fields(n, "a hole", holeKeys)
	if f == nil {
		return nil
	}
	for _, row := range rows {
		if row.Fixed {
			d.at(n.place, "%s shapes what is made of the models once, before a search: give it a value here, and another in another search", row.Name)
			return nil
		}
	}
	h := &hole{place: n.place, grid: row.Grid}
	search, isSearch := f["search"]
	choose, isChoice := f["choose"]
	if isSearch == isChoice {
		if len(f) < len(n.keys) {
			return nil // an unknown key, which was reported
		}
		d.at(n.place, "a hole has either search: [lo, hi] or choose: [a, b]")
		return nil
	}
	h.per = d.per(f["per"])
	before := len(d.list)
	switch {
	case isChoice:
		d.choice(h, choose, f, rows)
	case stepped(row) && search.kind == scalarNode && search.text == "default":
		h.byDefault, h.start = true, row.Start
		for i := range max(2, len(row.Choices)) {
			h.choices = append(h.choices, float64(i))
		}
		d.onlyFor(f, "a range", "scale", "int")
	case stepped(row):
		list := "true, false"
		if row.Choices != nil {
			list = strings.Join(row.Choices, ", ")
		}
		d.hint(search.place, "write {choose: ["+list+"]}", "%s is %s: it has no range", row.Name, kindOf(row))
	default:
		d.span(h, search, f, rows)
	}
	if len(d.list) > before {
		return nil
	}
	if h.choices != nil {
		if s, ok := f["start"]; ok {
			d.choiceStart(h, s, row)
		}
		return h
	}
	return d.rangeStart(h, f["start"], row)
}

func (d *decoder) choice(h *hole, n *node, f map[string]*node, rows []merge.Param) {
	d.onlyFor(f, "a range", "scale", "int")
	if n.kind != listNode || len(n.items) < 2 {
		d.at(n.place, "choose needs a list of two or more values")
		return
	}
	var seen set[float64]
	for _, item := range n.items {
		v, ok := d.value(item, rows)
		if !ok {
			continue
		}
		if !seen.add(v) {
			d.at(item.place, "%s is in the list twice", shorten(item.text))
		}
		h.choices = append(h.choices, v)
	}
}

func (d *decoder) choiceStart(h *hole, n *node, row merge.Param) {
	v, ok := d.value(n, []merge.Param{row})
	if !ok {
		return
	}
	i := slices.Index(h.choices, v)
	if i < 0 {
		d.at(n.place, "start is not one of the choices")
		return
	}
	h.start, h.hasStart = float64(i), true
}

// span decodes {search: [lo, hi]} and its options.
func (d *decoder) span(h *hole, n *node, f map[string]*node, rows []merge.Param) {
	row := rows[0]
	h.lo, h.hi = row.Low, row.High
	switch {
	case n.kind == scalarNode && n.text == "default":
		if h.byDefault = true; h.lo >= h.hi {
			d.hint(n.place, "write {search: [lo, hi]}", "%s has no bounds of its own to search", row.Name)
			return
		}
	case n.kind != listNode || len(n.items) != 2:
		d.at(n.place, "search needs [lo, hi] or default")
		return
	default:
		lo, okLo := d.value(n.items[0], rows)
		hi, okHi := d.value(n.items[1], rows)
		if !okLo || !okHi {
			return
		}
		h.lo, h.hi = lo, hi
		if !(lo < hi) || math.IsInf(hi-lo, 0) {
			d.at(n.place, "a hole needs lo < hi, not [%g, %g]", lo, hi)
			return
		}
	}
	if s, ok := f["scale"]; ok {
		switch s.text {
		case "log":
			h.log = true
		case "linear":
		default:
			d.hint(s.place, d.didYouMean(s.text, []string{"log", "linear"}), "scale is log or linear, not %s", s.describe())
		}
	}
	if h.log && h.lo <= 0 {
		d.at(n.place, "a log scale needs lo above 0, not %g", h.lo)
	}
	if s, ok := f["int"]; ok {
		if h.int, ok = s.boolean(); !ok {
			d.at(s.place, "int is true or false, not %s", s.describe())
		}
	}
	switch {
	case h.int && (h.lo != math.Trunc(h.lo) || h.hi != math.Trunc(h.hi)):
		d.at(n.place, "whole values need whole bounds, not [%g, %g]", h.lo, h.hi)
	case h.int:
		h.grid = 0
	case h.grid > 0 && math.Ceil(h.lo/h.grid) > math.Floor(h.hi/h.grid):
		d.at(n.place, "no multiple of %g, on which %s is searched, lies in [%g, %g]", h.grid, row.Name, h.lo, h.hi)
	}
}

// rangeStart is where a range begins: as told, else at the row's start, else,
// where the bounds leave that out, in their middle.
func (d *decoder) rangeStart(h *hole, n *node, row merge.Param) *hole {
	if n != nil {
		v, ok := d.value(n, []merge.Param{row})
		if ok && (v < h.lo || v > h.hi) {
			d.at(n.place, "start = %g is outside [%g, %g]", v, h.lo, h.hi)
		}
		h.start, h.hasStart = v, true
		return h
	}
	h.start = row.Start
	if h.start < h.lo || h.start > h.hi {
		h.start = h.lo + (h.hi-h.lo)/2
		if h.log {
			h.start = math.Sqrt(h.lo) * math.Sqrt(h.hi)
		}
	}
	return h
}

func (d *decoder) onlyFor(f map[string]*node, what string, keys ...string) {
	for _, k := range keys {
		if n, ok := f[k]; ok {
			d.at(n.place, "%s is only for %s", k, what)
		}
	}
}

// encode writes the hole of a parameter.
func (h *hole) encode(row merge.Param) *node {
	out := &node{kind: mapNode, flow: true}
	switch {
	case h.byDefault:
		out.put("search", word("default"))
	case h.choices != nil:
		list := flowList()
		for _, v := range h.choices {
			list.items = append(list.items, valueNode(row, v))
		}
		out.put("choose", list)
	default:
		out.put("search", flowList(numberNode(h.lo), numberNode(h.hi)))
	}
	if h.hasStart {
		start := h.start
		if h.choices != nil {
			start = h.choices[int(h.start)]
		}
		out.put("start", valueNode(row, start))
	}
	if h.log {
		out.put("scale", word("log"))
	}
	if h.int {
		out.put("int", boolNode(true))
	}
	if h.per != nil {
		out.put("per", h.per.encode())
	}
	return out
}
