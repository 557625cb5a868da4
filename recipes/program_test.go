package recipes_test

import (
	"slices"
	"testing"

	"github.com/mergevo/mergevo/recipes"
)

func TestExpand(t *testing.T) {
	p := recipes.Program{Command: []string{"run", "--m={model}", "{{model}}", `{"a":{"b":1}}`, "{part}{part}", "{other}"}}
	got := p.Expand(map[string]string{"model": "/m {part}", "part": "search"})
	want := []string{"run", "--m=/m {part}", "{model}", `{"a":{"b":1}}`, "searchsearch", "{other}"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if !p.Names("model") || !p.Names("part") || p.Names("output") {
		t.Error("the placeholders it has")
	}
	if q := (recipes.Program{Command: []string{"{{model}}"}}); q.Names("model") {
		t.Error("a word in double braces is no placeholder")
	}
}

// What a program reports apart is weighed as itself, else as the whole.
func TestWeightOfParts(t *testing.T) {
	s := &recipes.Search{Objective: map[string]float64{"h": 2, "h/a": 3}}
	for name, want := range map[string]float64{"h": 2, "h/a": 3, "h/b": 2, "other": 0} {
		if got := s.Weight(name); got != want {
			t.Errorf("%s weighs %g, want %g", name, got, want)
		}
	}
}

// A search block that is copied runs its programs where their files are.
func TestMovedPrograms(t *testing.T) {
	s := &recipes.Search{Tasks: []recipes.Task{{Program: &recipes.Program{Command: []string{"./x"}, Scratch: "s"}}}}
	m := s.Moved(func(path string) string { return "../old/" + path }).Tasks[0]
	if m.Program.Dir != "../old/." || m.Program.Scratch != "../old/s" || m.Data != "" || s.Tasks[0].Program.Dir != "" {
		t.Errorf("%+v", m.Program)
	}
}
