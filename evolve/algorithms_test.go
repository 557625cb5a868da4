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
		evolvetest.Suite(t, a)
	}
}

func TestSettings(t *testing.T) {
	box := evolve.Box{{Name: "a", Hi: 1}, {Name: "b", Hi: 1}}
	for _, a := range evolve.Optimizers() {
		t.Run(a.Name, func(t *testing.T) {
			if a.Use == "" {
				t.Error("it does not say when to take it")
			}
			for _, p := range a.Options {
				options := func(v string) evolve.Settings {
					return evolve.Settings{Options: map[string]string{p.Name: v}, Proposer: evolvetest.Propose}
				}
				if _, err := a.New(box, options(p.Default)); err != nil || p.Doc == "" {
					t.Errorf("option %s, default %s: %v", p.Name, p.Default, err)
				}
				for _, v := range p.Words {
					if _, err := a.New(box, options(v)); err != nil {
						t.Errorf("option %s = %s: %v", p.Name, v, err)
					}
				}
				for _, v := range []string{"", "no such word", "NaN"} {
					if p.Text || p.List {
						break
					}
					if _, err := a.New(box, options(v)); err == nil {
						t.Errorf("option %s took %q", p.Name, v)
					}
				}
			}
			if _, err := a.New(box, evolve.Settings{Options: map[string]string{"no such option": "1"}, Proposer: evolvetest.Propose}); err == nil {
				t.Error("took an option that it does not have")
			}
			if _, err := a.New(box, evolve.Settings{Population: -1, Proposer: evolvetest.Propose}); err == nil {
				t.Error("took a population of -1")
			}
			o, err := a.New(box, evolve.Settings{Population: 16, Proposer: evolvetest.Propose})
			if err != nil {
				t.Fatal(err)
			}
			if pop, _ := o.Ask(t.Context()); a.Population != "" && len(pop) != 16 {
				t.Errorf("%d candidates, want 16", len(pop))
			}
		})
	}
}
