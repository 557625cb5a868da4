package recipes_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mergevo/mergevo/recipes"
)

const settable = `merge_method: ties
base_model: b
models:
- model: x
  parameters: {weight: 0.5}
- model: y
  parameters: {weight: 1, density: &d 0.5}
- model: z
  parameters: {weight: 1, density: *d}
search:
  tasks: [{name: digits, kind: classification, data: d.safetensors}]
`

func parse(t *testing.T, text string) *recipes.Recipe {
	t.Helper()
	r, err := recipes.Parse("recipe.yml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSet(t *testing.T) {
	r := parse(t, settable)
	for _, kv := range [][2]string{
		{"search.evaluations", "40"}, {"search.time", "2h"}, {"parameters.lambda", "{search: [0, 2]}"},
		{"models.0.parameters.weight", "[0, 1e-3]"}, {"models.1.parameters.density", "0.25"},
		{"search.optimizer.sigma", "0.2"}, {"seed", "9"}, {"search.tasks.0.limit", "auto"}, {"provenance", "{run: x}"},
	} {
		if err := r.Set(kv[0], kv[1]); err != nil {
			t.Fatalf("%s: %v", kv[0], err)
		}
	}
	const want = `mergevo: 1
merge_method: ties
base_model: b
models:
  - model: x
    parameters:
      weight: [0, 0.001]
  - model: "y"
    parameters:
      weight: 1
      density: 0.25
  - model: z
    parameters:
      weight: 1
      density: 0.5
parameters:
  lambda: {search: [0, 2]}
seed: 9
search:
  optimizer: {name: cmaes, sigma: 0.2}
  evaluations: 40
  time: "2h"
  tasks:
    - {name: digits, kind: classification, data: d.safetensors, limit: auto, split: {search: 0.75, validation: 0.25}}
provenance:
  run: x
`
	if diff := cmp.Diff(want, string(r.Marshal())); diff != "" {
		t.Error(diff)
	}
	if r.Search.Evaluations != 40 || r.Search.Time != 2*time.Hour || !r.HasHoles() {
		t.Errorf("%+v", r.Search)
	}
	identity(t, r)
}

// An optimizer given by name keeps it when one of its numbers is set.
func TestSetBelowOptimizer(t *testing.T) {
	r := parse(t, settable)
	for _, kv := range [][2]string{{"search.optimizer", "random"}, {"search.optimizer.population", "8"}} {
		if err := r.Set(kv[0], kv[1]); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(recipes.Optimizer{Name: "random", Population: 8}, r.Search.Optimizer); diff != "" {
		t.Error(diff)
	}
	if err := r.ErrorAt("search.optimizer.name", "unknown"); err == nil || !strings.HasPrefix(err.Error(), "--set:1:18: unknown") {
		t.Error(err)
	}
}

func TestSetSlices(t *testing.T) {
	r := parse(t, "merge_method: linear\nslices: [{sources: [{model: a}]}]\nparameters: {weight: 1}\n")
	if err := r.Set("models.0.parameters.weight", "2"); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(r.Marshal()), "weight: 2") {
		t.Errorf("%s", r.Marshal())
	}
}

// A value that is refused changes nothing, and the error points into it.
func TestSetRefuses(t *testing.T) {
	for _, c := range []struct{ path, value, want string }{
		{"serch.evaluations", "4", "--set:1:1: unknown key \"serch\" in a recipe\n  serch.evaluations=4\n  ^\nhint: did you mean \"search\"?"},
		{"search.evalutions", "4", "--set:1:8: unknown key \"evalutions\" in search\n  search.evalutions=4\n         ^\nhint: did you mean \"evaluations\"?"},
		{"models.0.parameters.density", "1.5", "--set:1:29: density = 1.5 is outside [0, 1]\n  models.0.parameters.density=1.5\n                              ^"},
		{"models.3.parameters.density", "1", "--set:1:8: \"3\" is not an index of a list of 3, which counts from 0\n  models.3.parameters.density=1\n         ^"},
		{"models.x", "1", "--set:1:8: \"x\" is not an index of a list of 3, which counts from 0\n  models.x=1\n         ^"},
		{"parameters.lambda", "[1", "--set:1:1: sequence end token ']' not found\n  [1\n  ^"},
		{"parameters..lambda", "1", "--set:1:12: the path has an empty key\n  parameters..lambda=1\n             ^"},
		{"", "1", "--set:1:1: the path has an empty key\n  =1\n  ^"},
		{"seed", "", "--set:1:6: seed is a whole number from 0 to 18446744073709551615, not nothing\n  seed=\n       ^"},
		{"search.evaluations.x", "1", "--set:1:8: evaluations is a whole number, not a mapping"},
	} {
		r := parse(t, settable)
		before := string(r.Marshal())
		err := r.Set(c.path, c.value)
		var e *recipes.Error
		if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s=%s:\n%v\nwant\n%s", c.path, c.value, err, c.want)
		}
		if string(r.Marshal()) != before {
			t.Errorf("%s=%s changed the recipe", c.path, c.value)
		}
	}
}

func TestErrorAt(t *testing.T) {
	r := parse(t, settable)
	for _, c := range []struct{ path, at string }{
		{"merge_method", "1:15"}, {"models.0.parameters.weight", "5:24"}, {"search.tasks.0.data", "11:54"},
		{"search.optimizer.name", "11:3"}, {"nowhere", "1:1"}, {"models.9", "4:1"},
	} {
		err := r.ErrorAt(c.path, "no such thing")
		var e *recipes.Error
		if !errors.As(err, &e) {
			t.Fatal(err)
		}
		if at := fmt.Sprintf("%d:%d", e.Line, e.Col); at != c.at || e.Msg != "no such thing" || e.File != "recipe.yml" {
			t.Errorf("%s is at %s, not %s: %v", c.path, at, c.at, e)
		}
	}
}

// The documented defaults are what a file that leaves them out gets.
func TestSearchDefaults(t *testing.T) {
	s := parse(t, settable).Search
	def := map[string]string{}
	for _, k := range recipes.SearchKeys() {
		def[k.Path] = k.Default
	}
	task := s.Tasks[0]
	for path, got := range map[string]string{
		"search.optimizer.name": s.Optimizer.Name, "search.optimizer": s.Optimizer.Name,
		"search.evaluations": fmt.Sprintf("%d, none with a time", s.Evaluations),
		"tasks.inputs":       task.Inputs, "tasks.targets": task.Targets,
		"tasks.rotate": fmt.Sprint(task.Rotate), "tasks.sample_seed": fmt.Sprint(task.SampleSeed),
	} {
		if def[path] != got {
			t.Errorf("%s is documented as %q and is %q", path, def[path], got)
		}
	}
	if s.Weight("digits") != 1 || s.Time != 0 || task.Limit != 0 || task.Labels != nil || task.Split != (recipes.Split{Search: 0.75, Validation: 0.25}) || s.HeldOut != nil {
		t.Errorf("%+v", s)
	}
}

func TestSearchBlock(t *testing.T) {
	r, err := recipes.ReadFile("testdata/good/design.yml")
	if err != nil {
		t.Fatal(err)
	}
	want := &recipes.Search{
		Optimizer:   recipes.Optimizer{Name: "cmaes", Population: 12, Sigma: 0.3},
		Evaluations: 300,
		Objective:   map[string]float64{"digits": 1, "rotated": 0.5},
		Tasks: []recipes.Task{
			{Name: "digits", Kind: "classification", Metric: "accuracy", Data: "val.safetensors", Inputs: "images", Targets: "labels", Text: "text", Label: "label", Split: recipes.Split{Search: 0.75, Validation: 0.25}},
			{Name: "rotated", Kind: "classification", Metric: "accuracy", Data: "val.safetensors", Inputs: "images", Targets: "labels", Text: "text", Label: "label",
				Rotate: 90, Labels: []int{0, 1, 7}, Limit: recipes.LimitAuto, SampleSeed: 3, Split: recipes.Split{Search: 0.5, Validation: 0.25, Test: 0.25}},
		},
		HeldOut: []recipes.Task{{Name: "digits-test", Kind: "classification", Metric: "accuracy", Data: "test.safetensors", Inputs: "x", Targets: "y", Text: "text", Label: "label", Limit: 100}},
	}
	if diff := cmp.Diff(want, r.Search); diff != "" {
		t.Error(diff)
	}
	if got := r.Models(); !slices.Equal(got, []string{"./base", "./math", "./code"}) {
		t.Error(got)
	}
}
