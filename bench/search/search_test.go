package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// small is a recipe that the Go backend searches in seconds.
func small(t *testing.T) string {
	t.Helper()
	data, err := filepath.Abs("../../testdata/mnist")
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`mergevo: 1
merge_method: task_arithmetic
base_model: %[1]q
models:
  - model: %[2]q
  - model: %[3]q
parameters:
  weight: {search: [-1, 3], start: 0.4, per: [model]}
search:
  optimizer: {name: cmaes, population: 4}
  evaluations: 12
  tasks:
    - {name: all, kind: classification, data: %[4]q, limit: 100}
    - {name: rot90, kind: classification, data: %[4]q, limit: 60, rotate: 90}
`, filepath.Join(data, "mlp/base.safetensors"), filepath.Join(data, "mlp/low.safetensors"),
		filepath.Join(data, "mlp/rot90.safetensors"), filepath.Join(data, "val.safetensors"))
	file := filepath.Join(t.TempDir(), "search.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// Times are not asserted: that everything runs, agrees and prints its ratio is.
func TestEveryLineIsPrinted(t *testing.T) {
	var out, talk bytes.Buffer
	err := run(context.Background(), []string{"--backend", "go", "--recipe", small(t), "--rounds", "1", "--evaluations", "12", "--json"}, &out, &talk)
	if err != nil {
		t.Fatalf("%v\n%s%s", err, talk.String(), out.String())
	}
	want := map[string]int{"candidates": 3, "merge": 2, "outside": 2}
	if hasScript() {
		want["outside"] = 4
	}
	got := map[string]int{}
	for i, text := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if i == 0 {
			if l.Event != "setup" {
				t.Errorf("the first object is %s", text)
			}
			continue
		}
		for _, x := range []float64{l.Ours, l.Baseline, l.Ratio, l.Best} {
			if math.IsNaN(x) || math.IsInf(x, 0) || x == 0 {
				t.Errorf("%s: a figure is missing", text)
			}
		}
		if (l.Aim != 0) != (l.Met != nil) {
			t.Errorf("%s: an aim is met or not", text)
		}
		kind, _, _ := strings.Cut(l.What, ":")
		kind, _, _ = strings.Cut(kind, " ")
		got[kind]++
	}
	for kind, n := range want {
		if got[kind] != n {
			t.Errorf("%d lines on %s, want %d\n%s", got[kind], kind, n, out.String())
		}
	}
}

func TestDifferentResultsAreAnError(t *testing.T) {
	a := &agreement{}
	if err := a.same("one", [][]float64{{0.5, 1}, {0.25, 0}}, nil); err != nil {
		t.Fatal(err)
	}
	if err := a.same("two", [][]float64{{0.5, 1}, {0.25, 0}}, nil); err != nil {
		t.Fatal(err)
	}
	for _, other := range [][][]float64{{{0.5, 1}, {0.25, 0.01}}, {{0.5, 1}, {math.NaN(), 0}}} {
		err := a.same("three", other, nil)
		if err == nil || !strings.Contains(err.Error(), "candidate 1") || !strings.Contains(err.Error(), "three") {
			t.Errorf("%v: %v", other, err)
		}
	}
	if err := a.same("four", nil, errors.New("broken")); err == nil {
		t.Error("a failure is swallowed")
	}
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	p := &printer{out: &out}
	for _, l := range []line{
		{What: "a", Unit: "/s", Ours: 300, Baseline: 200, Ratio: 1.5, Best: 1.4, Aim: 1.3, AtLeast: true},
		{What: "b", Unit: "s", Ours: 2, Baseline: 10, Ratio: 20, Best: 18, Aim: 15, Percent: true},
		{What: "c", Unit: "s", Ours: 2, Baseline: 10, Ratio: 20, Best: 18, Percent: true},
	} {
		if err := p.line(l); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(out.String(), "\n")
	for i, want := range []string{"1.50x", "missed", "20.00 %"} {
		if !strings.Contains(lines[i], want) {
			t.Errorf("line %d lacks %q: %s", i, want, lines[i])
		}
	}
	if !strings.HasSuffix(strings.TrimSpace(lines[0]), " met") || strings.Contains(lines[2], "met") || strings.Contains(lines[2], "missed") {
		t.Errorf("aims:\n%s", out.String())
	}
}
