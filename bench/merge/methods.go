package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/mergevo/mergevo/bench/family"
	"github.com/mergevo/mergevo/bench/floor"
)

// method is a merge that is measured. Its recipe is read by mergevo and by mergekit.
type method struct {
	name   string
	inputs []string // models that it reads
	merge  string   // the recipe without its dtype
	// floor is the merge that the C floor makes; its Method is empty where it has none.
	floor floor.Merge
	// slack is how far an entry may lie from mergekit's in float32, in units of 2^-24
	// of the sum of the inputs' magnitudes: more than a bfloat16 step where they cancel.
	slack float64
	// random says that the two draw other noise, so that their entries differ.
	random bool
}

const (
	first, second = 0.5, 0.3 // weights
	density       = 0.5
	gamma         = 0.01 // breadcrumbs' default
)

var methods = []method{
	pair("linear", false, floor.Merge{Weights: [2]float32{first / (first + second), second / (first + second)}}),
	pair("task_arithmetic", false, floor.Merge{Weights: [2]float32{first, second}}),
	// mergekit takes slerp's norms and angle from sums in float32: against float64, its
	// entries of the small family were off by up to 38 of these units, mergevo's by none.
	{name: "slerp", inputs: family.Models[:2], slack: 64, merge: "merge_method: slerp\nbase_model: base\nmodels: [{model: base}, {model: ft1}]\nparameters: {t: 0.4}\n"},
	pair("ties", true, floor.Merge{Weights: [2]float32{first, second}, Density: density}),
	pair("breadcrumbs", true, floor.Merge{Weights: [2]float32{first, second}, Density: density, Gamma: gamma}),
	random(pair("dare_ties", true, floor.Merge{})),
}

// pair merges the fine-tunes. c without weights is no floor.
func pair(name string, sparse bool, c floor.Merge) method {
	m := method{name: name, inputs: family.Models, floor: c, slack: 4}
	base, more := "base_model: base\n", ""
	if name == "linear" {
		base, m.inputs = "", family.Models[1:] // mergekit would ask for the base's weight
	}
	if sparse {
		more = fmt.Sprintf(", density: %v", density)
	}
	m.merge = fmt.Sprintf("merge_method: %s\n%smodels:\n- {model: ft1, parameters: {weight: %v%s}}\n- {model: ft2, parameters: {weight: %v%s}}\n",
		name, base, first, more, second, more)
	if c.Weights != [2]float32{} {
		m.floor.Method = name
	}
	return m
}

func random(m method) method {
	m.random = true
	return m
}

func names(list []method) (out []string) {
	for _, m := range list {
		out = append(out, m.name)
	}
	return out
}

// write puts a recipe beside the family that it merges, and returns its path.
func (m method) write(dir, suffix, more string) (string, error) {
	path := filepath.Join(dir, m.name+suffix+".yml")
	return path, os.WriteFile(path, []byte(m.merge+more), 0o644)
}

const timedType = "dtype: bfloat16\n"

// plan writes the C floor's plan.
func (m method) plan(dir string) (string, []floor.Placed, error) {
	c := m.floor
	for k, name := range family.Models {
		c.Models[k] = filepath.Join(dir, name)
	}
	path := filepath.Join(dir, m.name+".plan")
	placed, err := floor.Plan(path, c)
	return path, placed, err
}
