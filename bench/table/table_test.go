package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
)

// The families of the repository are read, and their files are there.
func TestFamilies(t *testing.T) {
	for _, name := range []string{"mlp", "cnn", "digits"} {
		f, err := readFamily(name+".yaml", 5)
		if err != nil {
			t.Fatal(err)
		}
		files := []string{f.path(baseName)}
		if f.Base == "" {
			files = nil
		}
		for _, m := range f.Models {
			files = append(files, f.path(m.Name))
			for _, task := range m.Own {
				files = append(files, fmt.Sprint(task["data"]))
				if task["limit"] != 5 {
					t.Errorf("%s: %s has limit %v", name, m.Name, task["limit"])
				}
			}
		}
		for _, task := range append(f.Tasks, f.HeldOut...) {
			files = append(files, fmt.Sprint(task["data"]))
		}
		for _, file := range files {
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestFamilyRefused(t *testing.T) {
	const good = "models: [{name: a, model: a}, {name: b, model: b}]\ntasks: [{name: x}]\nheld_out: [{name: x}]\n"
	for text, want := range map[string]string{
		good:                   "",
		"":                     "two models or more",
		good + "two: [a, c]\n": "no model of the family",
		good + "two: [a]\n":    "two names two models",
		good + "bsae: c\n":     "bsae",
		strings.Replace(good, "name: b", "name: a", 1):    "name of its own",
		strings.Replace(good, "name: b", "name: base", 1): "which is not base",
		strings.Replace(good, "held_out", "heldout", 1):   "heldout",
	} {
		file := filepath.Join(t.TempDir(), "family.yaml")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := readFamily(filepath.Dir(file), 0)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, want %q", text, err, want)
		}
	}
}

func digits(t *testing.T, name string) *bench {
	t.Helper()
	f, err := readFamily(name+".yaml", 0)
	if err != nil {
		t.Fatal(err)
	}
	return &bench{family: f, seed: 1, work: t.TempDir(), evaluations: 30, population: 6, steps: 20}
}

// Every method has recipes that are valid, and every number of it that has bounds
// becomes a hole with the row's bounds and start.
func TestRecipes(t *testing.T) {
	b := digits(t, "mlp")
	infos := []tensors.Info{{Name: "fc.weight", DType: tensors.F32, Shape: []int{4, 3}}}
	bind := func(t *testing.T, text string) *recipes.Family {
		t.Helper()
		r, err := recipes.Parse("text", []byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		f, err := r.Bind(infos)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		return f
	}
	for _, name := range everything() {
		list, why, err := b.family.entrants(name)
		if err != nil || len(list) == 0 {
			t.Fatalf("%s: %v %s", name, err, why)
		}
		for _, e := range list {
			t.Run(e.title+" of "+e.String(), func(t *testing.T) {
				switch e.made {
				case refineTitle:
					if n := len(bind(t, b.arithmetic(manyWeights)).Box()); n != 3 {
						t.Errorf("%d holes are refined, want one a model and tensor", n)
					}
					return
				case "niche":
					bind(t, b.recipe(e, nil, nil))
					return
				}
				bind(t, b.plain(e))
				opened, err := bind(t, b.numbered(e)).Open()
				want := holes(e)
				if len(want) == 0 && err != nil && strings.Contains(err.Error(), "has no number to search") {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				got := map[string]int{}
				for _, g := range bind(t, string(opened.Marshal())).Box() {
					if g.Choices > 0 {
						continue // a switch: of a method without numbers they are opened
					}
					name, _, _ := strings.Cut(g.Name, "[")
					got[fmt.Sprintf("%s from %g in [%g, %g]", name, g.Start, g.Lo, g.Hi)]++
				}
				if !maps.Equal(got, want) {
					t.Errorf("holes %v, want %v:\n%s", got, want, opened.Marshal())
				}
			})
		}
	}
	if n := len(bind(t, b.arithmetic(oneWeight)).Box()); n != 1 {
		t.Errorf("the best λ is one of %d numbers", n)
	}
	if r, err := recipes.Parse("tasks", []byte(b.average()+b.searchBlock(b.cmaes()))); err != nil || len(r.Search.Tasks) != 2 || len(r.Search.HeldOut) != 2 {
		t.Errorf("the search block: %v", err)
	}
}

// holes are those that a search of the method's numbers has, and how often.
func holes(e entrant) map[string]int {
	want := map[string]int{}
	for _, p := range e.method.Params {
		if p.Bool || p.Choices != nil || p.Low >= p.High {
			continue
		}
		n, start := 1, p.Start
		if p.PerSource {
			n = len(e.models)
		}
		if p.Grid > 0 {
			start = p.Grid * math.Round(start/p.Grid)
		}
		want[fmt.Sprintf("%s from %g in [%g, %g]", p.Name, start, p.Low, p.High)] = n
	}
	return want
}

func TestEntrants(t *testing.T) {
	for _, c := range []struct{ family, name, want string }{
		{"mlp", "linear", "low, high, rot90"},
		{"mlp", "ties", "low, high, rot90 on base"},
		{"mlp", "slerp", "rot90 on base"},
		{"mlp", "passthrough", "rot90"},
		{"mlp", "nuslerp", "base, rot90; low, rot90 on base"},
		{"mlp", "multislerp", "low, high, rot90; low, high, rot90 on base"},
		{"mlp", progressiveTitle, "low, high, rot90"},
		{"mlp", refineTitle, "low, high, rot90 on base"},
		{"digits", "slerp", "high on low"},
		{"digits", "nuslerp", "low, high"},
		{"digits", "ties", "needs a base"},
		{"digits", "regmean", "low, high"},
	} {
		list, why, err := digits(t, c.family).family.entrants(c.name)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range list {
			got = append(got, e.String())
		}
		if s := strings.Join(got, "; ") + why; s != c.want {
			t.Errorf("%s: %s merges %s, want %s", c.family, c.name, s, c.want)
		}
	}
	f := digits(t, "mlp").family
	f.Two = nil
	if list, why, _ := f.entrants("slerp"); list != nil || why != "merges fewer models" {
		t.Errorf("slerp of three models: %v %s", list, why)
	}
	if _, _, err := f.entrants("tise"); err == nil {
		t.Error("no error for a method that is not there")
	}
}

func TestRead(t *testing.T) {
	for _, c := range []struct {
		name, events string
		want         outcome
		fails        string
	}{
		{name: "a search", events: `{"event":"plan","genes":[{"name":"a"},{"name":"b"}],"examples":{"search":3}}
{"event":"parents","entries":[{"name":"base","parts":{"held out":{"Mean":0.9,"Half":0.1}}}]}
{"event":"stopped","evaluations":299,"failed":7}
{"event":"report","entries":[{"name":"λ","parts":{"held out":{"Mean":0.4,"Half":0.1}}},{"name":"found","parts":{"search":{"Mean":0.8,"Half":0.1},"held out":{"Mean":0.5,"Half":0.01}}}]}
`, want: outcome{score: score{0.5, 0.01}, genes: 2, failed: 7, evaluations: 299}},
		{name: "an eval against two", events: `{"event":"score","examples":40}
{"event":"score","examples":2}
{"event":"eval","entries":[{"name":"x","parts":{"search":{"Mean":0.25,"Half":0.125}}}]}
{"event":"against","gaps":{"search":{"Mean":0.1,"Half":0.02}}}
{"event":"against","gaps":{"search":{"Mean":-0.1,"Half":0.03}}}`, want: outcome{score: score{0.25, 0.125}, gaps: []score{{0.1, 0.02}, {-0.1, 0.03}}, examples: 42}},
		{name: "no report", events: `{"event":"parents","entries":[{"name":"base","parts":{"held out":{"Mean":0.9,"Half":0.1}}}]}`, fails: "no score"},
		{name: "no score of what was found", events: `{"event":"report","entries":[{"name":"found","parts":{}}]}`, fails: "score of nothing"},
		{name: "no event", events: "hello\n", fails: "no event"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := read([]byte(c.events))
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Errorf("error %v, want %q", err, c.fails)
				}
				return
			}
			if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", c.want) {
				t.Errorf("%+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}

func TestTable(t *testing.T) {
	tab := &table{bench: digits(t, "mlp"), examples: 8000}
	tab.Beat = []row{{Method: "base", Plain: tab.cell("base", outcome{score: score{0.5, 0.01}}, nil)}}
	tab.Rows = []row{{Method: "ties", Merges: "a, b on c", Genes: 3, Plain: tab.cell("ties", outcome{}, errors.New("mergevo eval: exit status 2: bad\nweight")),
		Searched: tab.cell("ties, searched", outcome{score: score{0.6, 0.01}, gaps: []score{{0.1, 0.02}, {-0.015, 0.004}}}, nil)},
		{Method: "sce", Merges: "a", Plain: tab.cell("sce", outcome{}, fmt.Errorf("ended: %w", context.Canceled)), Searched: cells{nothing}}}
	tab.failed("ties", 0, 30)
	tab.failed("sce", 2, 30)
	var s strings.Builder
	if err := tab.print(&s); err != nil {
		t.Fatal(err)
	}
	const want = `MNIST, the MLP: mean score over all, rot90, %, of 8000 held-out answers, with the 95 % interval;
differences are paired. Searches: 30 evaluations, cmaes, population 6, seed 1; refine: 20 steps.

| method | merges | genes | defaults | to the average | to the best λ | searched | to the average | to the best λ |
|---|---|---:|---:|---:|---:|---:|---:|---:|
| *base* |  |  | 50.00 ± 1.00 |  |  |  |  |  |
| ties | a, b on c | 3 | refused (1) |  |  | 60.00 ± 1.00 | +10.00 ± 2.00 | -1.50 ± 0.40 |
| sce | a |  |  |  |  | nothing to search |  |  |

1. ties: mergevo eval: exit status 2: bad weight
2. sce: 2 of the search's 30 candidates failed.
`
	if s.String() != want {
		t.Errorf("got\n%s\nwant\n%s", s.String(), want)
	}
	if tab.refused != 1 {
		t.Errorf("%d refused, want 1", tab.refused)
	}
}

// What a command said is kept, so that a table that was ended goes on; another table's
// folder is refused.
func TestOnce(t *testing.T) {
	b := digits(t, "mlp")
	calls := 0
	for range 2 {
		o, err := b.once("x", func() ([]byte, error) {
			calls++
			return []byte(`{"event":"eval","entries":[{"name":"x","parts":{"search":{"Mean":0.25,"Half":0.125}}}]}`), nil
		})
		if err != nil || o.score.Mean != 0.25 {
			t.Fatalf("%+v, %v", o, err)
		}
	}
	if calls != 1 {
		t.Errorf("called %d times", calls)
	}
	if _, err := b.once("y", func() ([]byte, error) { return nil, errors.New("no") }); err == nil {
		t.Error("an error is lost")
	}
	if err := errors.Join(b.claim("0"), b.claim("0")); err != nil {
		t.Error(err)
	}
	if b.seed = 2; b.claim("0") == nil {
		t.Error("another table's folder is taken")
	}
}
