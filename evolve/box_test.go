package evolve_test

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mergevo/mergevo/evolve"
)

func TestBoxValidate(t *testing.T) {
	for _, c := range []struct {
		name string
		box  evolve.Box
		want string // in the error; "" means valid
	}{
		{"real", evolve.Box{{Name: "w", Lo: -1, Hi: 1}}, ""},
		{"start at an end", evolve.Box{{Name: "w", Lo: -1, Hi: 1, Start: 1}}, ""},
		{"choice", evolve.Box{{Name: "method", Choices: 3, Start: 2}}, ""},
		{"choice of one", evolve.Box{{Name: "method", Choices: 1}}, ""},
		{"grid", evolve.Box{{Name: "density", Lo: 0.1, Hi: 0.3, Start: 0.2, Grid: 0.1}}, ""},
		{"empty", nil, "no genes"},
		{"reversed", evolve.Box{{Name: "ok", Hi: 1}, {Name: "w", Lo: 1, Hi: 0}}, `gene 1 "w": lo 1 is not below hi 0`},
		{"one point", evolve.Box{{Name: "w", Lo: 1, Hi: 1, Start: 1}}, `"w": lo 1 is not below`},
		{"NaN", evolve.Box{{Name: "w", Lo: math.NaN(), Hi: 1}}, "finite"},
		{"infinite", evolve.Box{{Name: "w", Hi: math.Inf(1)}}, "finite"},
		{"too wide", evolve.Box{{Name: "w", Lo: -math.MaxFloat64, Hi: math.MaxFloat64}}, "too wide"},
		{"start outside", evolve.Box{{Name: "w", Hi: 1, Start: 2}}, "start 2 is outside [0, 1]"},
		{"log of zero", evolve.Box{{Name: "w", Hi: 1, Log: true}}, "log scale"},
		{"broken int", evolve.Box{{Name: "w", Lo: 0.5, Hi: 2, Start: 1, Int: true}}, "whole"},
		{"grid and int", evolve.Box{{Name: "w", Hi: 4, Int: true, Grid: 2}}, "exclude"},
		{"negative grid", evolve.Box{{Name: "w", Hi: 4, Grid: -1}}, "negative"},
		{"grid too coarse", evolve.Box{{Name: "w", Lo: 1, Hi: 2, Start: 1, Grid: 5}}, "no multiple"},
		{"negative choices", evolve.Box{{Name: "w", Choices: -1}}, "-1 choices"},
		{"choice with bounds", evolve.Box{{Name: "w", Hi: 5, Choices: 3}}, "from 0 to 2"},
		{"choice between", evolve.Box{{Name: "w", Start: 0.5, Choices: 3}}, "start 0.5"},
		{"choice with log", evolve.Box{{Name: "w", Choices: 3, Log: true}}, "no log"},
		{"same name", evolve.Box{{Name: "w", Hi: 1}, {Name: "w", Hi: 1}}, "same name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.box.Validate()
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
			} else if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestBoxValues(t *testing.T) {
	for _, c := range []struct {
		name    string
		gene    evolve.Gene
		u, want []float64
	}{
		{"linear", evolve.Gene{Lo: -1, Hi: 3}, []float64{0, 0.25, 1, -5, 2, math.NaN()}, []float64{-1, 0, 3, -1, 3, -1}},
		{"log", evolve.Gene{Lo: 1, Hi: 10000, Log: true}, []float64{0, 0.5, 1}, []float64{1, 100, 10000}},
		{"int has equal shares", evolve.Gene{Lo: 0, Hi: 2, Int: true}, []float64{0, 0.33, 0.34, 0.66, 0.67, 1}, []float64{0, 0, 1, 1, 2, 2}},
		{"log int", evolve.Gene{Lo: 1, Hi: 64, Log: true, Int: true}, []float64{0, 0.5, 1}, []float64{1, 6, 64}},
		{"grid", evolve.Gene{Lo: 0, Hi: 0.35, Grid: 0.1}, []float64{0, 0.3, 0.99, 1}, []float64{0, 0.1, 0.3, 0.3}},
		{"grid from within", evolve.Gene{Lo: 0.05, Hi: 0.3, Grid: 0.1}, []float64{0, 1}, []float64{0.1, 0.3}},
		{"binary grid", evolve.Gene{Lo: 0, Hi: 1, Grid: 1. / 1024}, []float64{0.50001}, []float64{0.5}},
		{"choice", evolve.Gene{Choices: 4}, []float64{0, 0.24, 0.25, 0.99, 1}, []float64{0, 0, 1, 3, 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []float64
			for _, u := range c.u {
				got = append(got, evolve.Box{c.gene}.Values([]float64{u})...)
			}
			for i := range got {
				if math.Abs(got[i]-c.want[i]) > 1e-12*math.Abs(c.want[i]) {
					t.Errorf("value(%v) = %v, want %v", c.u[i], got[i], c.want[i])
				}
			}
		})
	}
}

func TestBoxStart(t *testing.T) {
	box := evolve.Box{
		{Name: "a", Lo: 0, Hi: 2, Start: 0.5},
		{Name: "b", Lo: 1, Hi: 100, Start: 10, Log: true},
		{Name: "c", Choices: 4, Start: 2},
		{Name: "d", Lo: 1, Hi: 5, Start: 3, Int: true},
	}
	want := []float64{0.25, 0.5, 0.625, 0.5}
	if d := cmp.Diff(want, box.Start()); d != "" {
		t.Errorf("Start (-want +got):\n%s", d)
	}
}

// Any valid gene, any coordinate: the value is within the bounds, the same twice,
// and comes back from Unit.
func TestBoxRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := evolve.Gene{
			Lo:  rapid.Float64Range(-100, 100).Draw(t, "lo"),
			Log: rapid.Bool().Draw(t, "log"), Int: rapid.Bool().Draw(t, "int"),
		}
		g.Hi = g.Lo + rapid.Float64Range(0.001, 1000).Draw(t, "width")
		if rapid.Bool().Draw(t, "snaps") {
			g.Grid = rapid.Float64Range(0.001, 10).Draw(t, "grid")
		}
		if g.Int {
			g.Lo, g.Hi = math.Floor(g.Lo), math.Ceil(g.Hi)
		}
		if rapid.Bool().Draw(t, "categorical") {
			g = evolve.Gene{Choices: rapid.IntRange(1, 9).Draw(t, "choices")}
		}
		if g.Choices == 0 {
			g.Start = g.Lo
		}
		box := evolve.Box{g}
		if box.Validate() != nil {
			t.Skip("not a valid gene")
		}
		hi := g.Hi
		if g.Choices > 0 {
			hi = float64(g.Choices - 1)
		}
		u := []float64{rapid.Float64Range(0, 1).Draw(t, "u")}
		v := box.Values(u)
		if v[0] < g.Lo || v[0] > hi {
			t.Fatalf("%+v: value %v", g, v)
		}
		if again := box.Values(u); math.Float64bits(again[0]) != math.Float64bits(v[0]) {
			t.Fatalf("%+v: %v, then %v", g, v, again)
		}
		tol := 1e-9 * (hi - g.Lo)
		if g.Int || g.Grid > 0 || g.Choices > 0 {
			tol = 0
		}
		back := box.Unit(v)
		if again := box.Values(back); math.Abs(again[0]-v[0]) > tol {
			t.Fatalf("%+v: value %v came back as %v", g, v, again)
		}
		if back[0] < 0 || back[0] > 1 {
			t.Fatalf("%+v: Unit(%v) = %v", g, v, back)
		}
	})
}
