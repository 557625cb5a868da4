package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mergevo/mergevo/merge"
)

// fineTunes know the digits 0-4, the digits 5-9, and turned digits. Only the last
// knows any turned ones, so that every entrant merges it.
var fineTunes = []string{"low", "high", "rot90"}

// entrant is a method and what it merges.
type entrant struct {
	method *merge.Method
	base   string // "" without
	models []string
}

// fineTuneEntrant is what most methods merge.
var fineTuneEntrant = entrant{base: "base", models: fineTunes}

func (e entrant) String() string {
	s := strings.Join(e.models, ", ")
	if e.base != "" {
		s += " on " + e.base
	}
	return s
}

// entrants are a method with a base if it must have one, without if it reads none,
// and both where it may have one.
func entrants(m *merge.Method) []entrant {
	with := func(base string) entrant { return entrant{m, base, models(m, base)} }
	switch m.Base {
	case merge.BaseRequired:
		return []entrant{with("base")}
	case merge.BaseOptional:
		return []entrant{with(""), with("base")}
	}
	return []entrant{with("")}
}

// models are all three where the method takes them. The base knows upright digits
// better than any fine-tune: two models alone are the base and the one that knows
// turned digits.
func models(m *merge.Method, base string) []string {
	switch {
	case m.MaxSources == 0 || m.MaxSources >= len(fineTunes):
		return fineTunes
	case m.MaxSources == 1:
		return []string{"rot90"}
	case base != "":
		return []string{"low", "rot90"}
	}
	return []string{"base", "rot90"}
}

// plain is the shortest recipe: what the method insists on has the value at which a
// hole would start, the same for all models, and the rest is left at its default.
func (b *bench) plain(e entrant, family string) string {
	var global []string
	for _, p := range e.method.Params {
		if p.Required {
			global = append(global, fmt.Sprintf("%s: %g", p.Name, p.Start))
		}
	}
	return b.recipe(e, family, nil, global)
}

// numbered is the recipe that names every number of the method, for `mergevo init`
// to make holes of, each starting where a hole that names no start does. Of a method
// without numbers it is the plain one: init then opens what there is.
func (b *bench) numbered(e entrant, family string) string {
	var source, global []string
	for _, p := range e.method.Params {
		if p.Bool || p.Choices != nil || p.Low >= p.High {
			continue
		}
		number := fmt.Sprintf("%s: %g", p.Name, p.Start)
		if p.PerSource {
			source = append(source, number)
		} else {
			global = append(global, number)
		}
	}
	return b.recipe(e, family, source, global)
}

// average is the uniform average of the fine-tunes.
func (b *bench) average(family string) string {
	linear, _ := merge.Lookup("linear")
	return b.recipe(entrant{linear, "", fineTunes}, family, nil, []string{"weight: 1"})
}

func (b *bench) recipe(e entrant, family string, source, global []string) string {
	lines := []string{"merge_method: " + e.method.Name}
	if e.base != "" {
		lines = append(lines, "base_model: "+b.model(family, e.base))
	}
	lines = append(lines, "models:")
	parameters := func(indent string, list []string) {
		if len(list) > 0 {
			lines = append(lines, indent+"parameters: {"+strings.Join(list, ", ")+"}")
		}
	}
	for _, name := range e.models {
		lines = append(lines, "  - model: "+b.model(family, name))
		if s := e.method.Statistic; s != nil {
			lines = append(lines, "    "+s.Name+": "+b.statistic(s, family, name))
		}
		parameters("    ", source)
	}
	parameters("", global)
	return strings.Join(slices.Concat(lines, []string{fmt.Sprintf("seed: %d\n", b.seed)}), "\n")
}

func (b *bench) model(family, name string) string {
	return filepath.Join(b.data, family, name+".safetensors")
}
