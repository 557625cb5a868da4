package main

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Every recipe of examples is valid, has a line in their README, and does what it is
// for: those without holes are applied, the others can be searched.
func TestExamples(t *testing.T) {
	t.Parallel()
	readme := exampleText(t, "README.md")
	files, err := filepath.Glob(filepath.Join("..", "..", "examples", "*.yaml"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%d recipes: %v", len(files), err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if _, err := exec.LookPath("python3"); err != nil && strings.Contains(exampleText(t, name), "python3") {
				t.Skip("python3 is not on PATH")
			}
			file, err := filepath.Abs(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(readme, "| `"+name+"` |") {
				t.Errorf("examples/README.md has no row for %s", name)
			}
			if strings.Contains(exampleText(t, name), "\nexperts:") {
				must(t, dir, "moe", file, "--out", "out", "--backend", "go")
				return
			}
			must(t, dir, "check", file)
			if strings.Contains(exampleText(t, name), "search:") {
				must(t, dir, "search", file, "--dry-run", "--backend", "go")
				return
			}
			must(t, dir, "apply", file, "--out", "out", "--backend", "go")
		})
	}
}

// The numbers in the README of the examples are those that eval prints; on another
// machine two images of the 2,000 may fall on the other side.
func TestExamplesScoreAsTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ recipe, tasks, first, second string }{
		{"negation.yaml", "negation-search.yaml", "held out/zero_to_four", "held out/five_to_nine"},
		{"extrapolation.yaml", "ties-search.yaml", "held out/all", "held out/rot90"},
		{"filters.yaml", "ties-search.yaml", "held out/all", "held out/rot90"},
	} {
		t.Run(c.recipe, func(t *testing.T) {
			t.Parallel()
			var e struct {
				Entries []struct{ Tasks map[string]float64 }
			}
			out := must(t, filepath.Join("..", "..", "examples"), "eval", c.recipe, "--tasks", c.tasks, "--json", "--backend", "go")
			if err := json.Unmarshal(lastEvent(t, out, "eval"), &e); err != nil || len(e.Entries) != 1 {
				t.Fatalf("%v in %s", err, out)
			}
			row := regexp.MustCompile("\\| `" + regexp.QuoteMeta(c.recipe) + "` \\| ([0-9.]+) \\| ([0-9.]+) \\|").FindStringSubmatch(exampleText(t, "README.md"))
			if row == nil {
				t.Fatalf("examples/README.md has no scores of %s", c.recipe)
			}
			for i, task := range []string{c.first, c.second} {
				got, ok := e.Entries[0].Tasks[task]
				told, err := strconv.ParseFloat(row[i+1], 64)
				if err != nil || !ok || math.Abs(100*got-told) > 0.1 {
					t.Errorf("%s: %.2f %%, examples/README.md says %.2f", task, 100*got, told)
				}
			}
		})
	}
}

func exampleText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "examples", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
