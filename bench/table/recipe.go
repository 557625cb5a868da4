package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mergevo/mergevo/merge"
)

// plain is the shortest recipe: what the method insists on has the value at which a
// hole would start, the same for all models, and the rest is left at its default.
func (b *bench) plain(e entrant) string {
	var global []string
	for _, p := range e.method.Params {
		if p.Required {
			global = append(global, fmt.Sprintf("%s: %g", p.Name, p.Start))
		}
	}
	return b.recipe(e, nil, global)
}

// numbered is the recipe that names every number of the method, for `mergevo init`
// to make holes of, each starting where a hole that names no start does. Of a method
// without numbers it is the plain one: init then opens what there is.
func (b *bench) numbered(e entrant) string {
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
	return b.recipe(e, source, global)
}

// Recipes with holes of their own: the best λ of task arithmetic is one weight for all
// models, and what is refined one for each model and tensor.
const (
	oneWeight   = "weight: {search: [0, 2], start: 0.5}"
	manyWeights = "weight: {search: [-1, 3], start: 0.5, per: [model, tensor]}"
)

// average is the uniform average of the models.
func (b *bench) average() string {
	linear, _ := merge.Lookup("linear")
	return b.recipe(entrant{method: linear, models: b.family.names()}, nil, []string{"weight: 1"})
}

// arithmetic is task arithmetic of all models.
func (b *bench) arithmetic(weight string) string {
	m, _ := merge.Lookup("task_arithmetic")
	return b.recipe(entrant{method: m, base: baseName, models: b.family.names()}, nil, []string{weight})
}

func (b *bench) recipe(e entrant, source, global []string) string {
	lines := []string{"merge_method: " + e.method.Name}
	if e.base != "" {
		lines = append(lines, "base_model: "+b.family.path(e.base))
	}
	lines = append(lines, "models:")
	parameters := func(indent string, list []string) {
		if len(list) > 0 {
			lines = append(lines, indent+"parameters: {"+strings.Join(list, ", ")+"}")
		}
	}
	for _, name := range e.models {
		lines = append(lines, "  - model: "+b.family.path(name))
		if s := e.method.Statistic; s != nil {
			lines = append(lines, "    "+s.Name+": "+b.statistic(e, name))
		}
		parameters("    ", source)
	}
	parameters("", global)
	return strings.Join(slices.Concat(lines, []string{fmt.Sprintf("seed: %d\n", b.seed)}), "\n")
}

// searchBlock is a recipe's with the family's tasks.
func (b *bench) searchBlock(optimizer string) string {
	return fmt.Sprintf("search:\n  optimizer: {%s}\n  evaluations: %d\n  tasks: %s\n  held_out: %s\n", optimizer, b.evaluations, listed(b.family.Tasks), listed(b.family.HeldOut))
}

// cmaes is the optimizer of all searches that have a choice.
func (b *bench) cmaes() string {
	if b.population > 0 {
		return fmt.Sprintf("name: cmaes, population: %d", b.population)
	}
	return "name: cmaes"
}

// statistic is the file of an entrant's model.
func (b *bench) statistic(e entrant, name string) string {
	if e.progressive {
		name += ".progressive"
	}
	return filepath.Join(b.work, name+"."+e.method.Statistic.Name+".safetensors")
}
