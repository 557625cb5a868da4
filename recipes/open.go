package recipes

import (
	"fmt"
	"math"
	"slices"

	"github.com/mergevo/mergevo/merge"
)

// Open returns the recipe with a hole, starting there, in place of every number
// that the merge reads: a family around one merge. Booleans and words stay, as do
// holes. It is an error if there is no number to open.
func (f *Family) Open() (*Recipe, error) {
	if f.stack != nil {
		return nil, fmt.Errorf("%s: it is a search of layers already", f.recipe.name)
	}
	read := map[*setting]bool{}
	f.uses(func(u slotUse) {
		if u.leaf != nil {
			u.leaf.walk(func(s *setting) { read[s] = true })
		}
	})
	r := *f.recipe
	opened := 0
	open := func(s *scope) scope {
		out := scope{params: slices.Clone(s.params), inert: s.inert}
		for i := range out.params {
			p := &out.params[i]
			rows := f.recipe.method.rows(p.name)
			p.setting = *s.params[i].opened(rows[0], read, &opened) // by the address that was read
		}
		return out
	}
	r.models, r.slices, r.modules = slices.Clone(r.models), slices.Clone(r.slices), slices.Clone(r.modules)
	for i := range r.models {
		r.models[i].params = open(&f.recipe.models[i].params)
	}
	for i := range r.slices {
		r.slices[i].params = open(&f.recipe.slices[i].params)
	}
	for i := range r.modules {
		r.modules[i].params = open(&f.recipe.modules[i].params)
	}
	r.global = open(&f.recipe.global)
	if opened == 0 {
		f.openDefaults(&r, &opened)
	}
	if opened == 0 && !r.HasHoles() {
		return nil, fmt.Errorf("%s: %v has no number to search; choose a method with weights, such as linear or ties", r.name, r.method.table)
	}
	return Parse(r.name, r.Marshal())
}

// openDefaults opens the parameters that the recipe leaves at their defaults, for a
// recipe that names no number.
func (f *Family) openDefaults(r *Recipe, opened *int) {
	for _, row := range r.method.methods[0].Params {
		said := slices.ContainsFunc(r.scopes(), func(s *scope) bool { return s.find(row.Name) != nil })
		if row.Required || row.Fixed || said || row.Low >= row.High && row.Choices == nil {
			continue
		}
		s := setting{number: row.Default}
		if stepped(row) {
			s.hole = &hole{byDefault: true}
			*opened++
		} else {
			s = *s.opened(row, map[*setting]bool{&s: true}, opened)
		}
		r.global.params = append(r.global.params, parameter{name: row.Name, setting: s})
	}
}

// rounded takes off what a sum of decimals leaves behind.
func rounded(x float64) float64 { return math.Round(x*1e6) / 1e6 }

// opened copies a setting with holes for the numbers that are read.
func (s *setting) opened(row merge.Param, read map[*setting]bool, count *int) *setting {
	c := *s
	if s.gradient == nil && s.filters == nil && s.hole == nil && read[s] && !stepped(row) && row.Low < row.High {
		*count++
		h := &hole{lo: row.Low, hi: row.High, start: s.number, hasStart: true, grid: row.Grid}
		// Around a start beyond the usual bounds there is room to either side.
		room := (row.High - row.Low) / 4
		if s.number <= h.lo {
			h.lo = max(row.Min, rounded(s.number-room))
		}
		if s.number >= h.hi {
			h.hi = min(row.Max, rounded(s.number+room))
		}
		if row.Grid > 0 { // the start is what the recipe said, to the nearest step
			h.start = min(max(row.Grid*math.Round(s.number/row.Grid), h.lo), h.hi)
		}
		return &setting{hole: h}
	}
	c.gradient = slices.Clone(s.gradient)
	for i := range c.gradient {
		c.gradient[i] = *s.gradient[i].opened(row, read, count)
	}
	c.filters = slices.Clone(s.filters)
	for i := range c.filters {
		c.filters[i].value = *s.filters[i].value.opened(row, read, count)
	}
	return &c
}
