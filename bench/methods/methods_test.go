package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
)

// Every method has recipes that are valid, and every number of it that has bounds
// becomes a hole with the row's bounds and start.
func TestRecipes(t *testing.T) {
	b := &bench{data: "mnist", seed: 1}
	infos := []tensors.Info{{Name: "fc.weight", DType: tensors.F32, Shape: []int{4, 3}}}
	for _, m := range merge.Methods() {
		for _, e := range entrants(m) {
			t.Run(m.Name+" of "+e.String(), func(t *testing.T) {
				plain, err := recipes.Parse("plain", []byte(b.plain(e, "mlp")))
				if err == nil {
					_, err = plain.Bind(infos)
				}
				if err != nil {
					t.Errorf("%v\n%s", err, b.plain(e, "mlp"))
				}
				r, err := recipes.Parse("numbered", []byte(b.numbered(e, "mlp")))
				if err != nil {
					t.Fatalf("%v\n%s", err, b.numbered(e, "mlp"))
				}
				family, err := r.Bind(infos)
				if err != nil {
					t.Fatal(err)
				}
				opened, err := family.Open()
				want := holes(e)
				if len(want) == 0 && err != nil && strings.Contains(err.Error(), "has no number to search") {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if family, err = opened.Bind(infos); err != nil {
					t.Fatal(err)
				}
				got := map[string]int{}
				for _, g := range family.Box() {
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
	for name, want := range map[string]string{
		"linear":       "low, high, rot90",
		"ties":         "low, high, rot90 on base",
		"slerp":        "rot90 on base",
		"passthrough":  "rot90",
		"nuslerp":      "base, rot90; low, rot90 on base",
		"multislerp":   "low, high, rot90; low, high, rot90 on base",
		"arcee_fusion": "rot90 on base",
	} {
		m, ok := merge.Lookup(name)
		if !ok {
			t.Fatalf("no method %s", name)
		}
		var got []string
		for _, e := range entrants(m) {
			got = append(got, e.String())
		}
		if s := strings.Join(got, "; "); s != want {
			t.Errorf("%s merges %s, want %s", name, s, want)
		}
	}
}

func TestRead(t *testing.T) {
	const lambda = `{"name":"task arithmetic, λ = 0.6","parts":{"held out":{"Mean":0.4,"Half":0.02}}}`
	for _, c := range []struct {
		name, events string
		want         outcome
		lambda, over *score
		fails        string
	}{
		{name: "a search", events: `{"event":"plan","genes":[{"name":"a"},{"name":"b"}]}
{"event":"parents","entries":[{"name":"base","parts":{"held out":{"Mean":0.9,"Half":0.1}}}]}
{"event":"stopped","evaluations":299,"failed":7}
{"event":"report","gap_to_best_baseline":{"search":{"Mean":0.3,"Half":0.1},"held out":{"Mean":0.1,"Half":0.02}},"entries":[` + lambda + `,{"name":"found","parts":{"search":{"Mean":0.8,"Half":0.1},"held out":{"Mean":0.5,"Half":0.01}}}]}
`, over: &score{0.1, 0.02}, want: outcome{score: score{0.5, 0.01}, genes: 2, failed: 7, evaluations: 299}, lambda: &score{0.4, 0.02}},
		{name: "an eval", events: `{"event":"eval","entries":[{"name":"x","parts":{"held out":{"Mean":0.25,"Half":0.125}}}]}`, want: outcome{score: score{0.25, 0.125}}},
		{name: "no report", events: `{"event":"parents","entries":[{"name":"base","parts":{"held out":{"Mean":0.9,"Half":0.1}}}]}`, fails: "no held-out score"},
		{name: "no score of what was found", events: `{"event":"report","entries":[` + lambda + `,{"name":"found","parts":{"search":{"Mean":0.8,"Half":0.1}}}]}`, fails: "no held-out score"},
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
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case (got.oneLambda == nil) != (c.lambda == nil), c.lambda != nil && *got.oneLambda != *c.lambda:
				t.Errorf("λ %v, want %v", got.oneLambda, c.lambda)
			}
			if (got.over == nil) != (c.over == nil) || c.over != nil && *got.over != *c.over {
				t.Errorf("gap %v, want %v", got.over, c.over)
			}
			if got.oneLambda, got.over = nil, nil; got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func TestTable(t *testing.T) {
	tab := &table{evaluations: 30, seed: 7}
	tab.Beat = []row{{Method: "base", Plain: [2]string{tab.cell("base", score{0.5, 0.01}, nil), "1.00 ± 0.10"}}}
	refused := row{Method: "ties", Merges: "a, b on c", Genes: 3}
	refused.Plain[0] = tab.cell("ties, mlp", score{}, errors.New("mergevo eval: exit status 2: bad\nweight"))
	refused.Searched = [2]string{"60.00 ± 1.00", nothing}
	refused.Over[0] = "+1.50 ± 0.40"
	refused.Plain[1] = tab.cell("ties, cnn", score{}, fmt.Errorf("ended: %w", context.Canceled))
	tab.failed("ties, mlp", 0, 30)
	tab.failed("ties, cnn", 2, 30)
	tab.Rows = []row{refused}
	var b strings.Builder
	if err := tab.print(&b); err != nil {
		t.Fatal(err)
	}
	const want = `Mean of the accuracies on upright and on turned digits, %, of 4,000 held-out images,
with the 95 % interval. Searches: CMA-ES, 30 evaluations, seed 7.

| method | merges | genes | MLP, defaults | MLP, searched | CNN, defaults | CNN, searched |
|---|---|---:|---:|---:|---:|---:|
| *base* |  |  | 50.00 ± 1.00 |  | 1.00 ± 0.10 |  |
| ties | a, b on c | 3 | refused (1) | 60.00 ± 1.00 |  | nothing to search |

Searched, less the best by validation of the lines in italics: paired difference on the
same images, in points, with its 95 % interval.

| method | merges | MLP | CNN |
|---|---|---:|---:|
| ties | a, b on c | +1.50 ± 0.40 |  |

1. ties, mlp: mergevo eval: exit status 2: bad weight
2. ties, cnn: 2 of the search's 30 candidates failed.
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	if tab.refused != 1 {
		t.Errorf("%d refused, want 1", tab.refused)
	}
}

func TestChosen(t *testing.T) {
	all, err := chosen(nil)
	if err != nil || len(all) != len(merge.Methods()) {
		t.Errorf("%d methods, %v", len(all), err)
	}
	two, err := chosen([]string{"ties", "linear"})
	if err != nil || len(two) != 2 || two[0].Name != "ties" {
		t.Errorf("%v, %v", two, err)
	}
	if _, err := chosen([]string{"tise"}); err == nil {
		t.Error("no error for a method that is not there")
	}
}
