package evolve_test

import (
	"testing"

	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/evolve/evolvetest"
)

func TestOptimizers(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range evolve.Optimizers() {
		if a.Name == "" || a.Doc == "" || seen[a.Name] {
			t.Errorf("row %+v: no name, no doc or a name twice", a)
		}
		seen[a.Name] = true
		evolvetest.Suite(t, a.Name, a.New)
	}
}

func TestSettings(t *testing.T) {
	box := evolve.Box{{Name: "a", Hi: 1}, {Name: "b", Hi: 1}}
	for _, a := range evolve.Optimizers() {
		o, err := a.New(box, evolve.Settings{})
		if err != nil {
			t.Fatal(err)
		}
		if pop, _ := o.Ask(t.Context()); len(pop) != 6 { // 4 + floor(3 ln 2)
			t.Errorf("%s: %d candidates by default, want 6", a.Name, len(pop))
		}
		o, err = a.New(box, evolve.Settings{Population: 9})
		if err != nil {
			t.Fatal(err)
		}
		if pop, _ := o.Ask(t.Context()); len(pop) != 9 {
			t.Errorf("%s: %d candidates, want 9", a.Name, len(pop))
		}
		if _, err := a.New(box, evolve.Settings{Population: -1}); err == nil {
			t.Errorf("%s took a population of -1", a.Name)
		}
	}
}
