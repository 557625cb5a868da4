package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
)

// TestConfigs runs every configuration in testdata/configs, each of the shape of
// many that people publish, on tiny models of the names that it has: check takes it,
// init opens its numbers, explain says the same of both, apply writes the model.
func TestConfigs(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "configs", "*.yml"))
	if err != nil || len(files) < 50 {
		t.Fatalf("%d configurations: %v", len(files), err)
	}
	for i, file := range files {
		if testing.Short() && i%6 > 0 {
			continue // thousands of processes, each slow under the race detector
		}
		name := strings.TrimSuffix(filepath.Base(file), ".yml")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "config.yml"), text, 0o644); err != nil {
				t.Fatal(err)
			}
			parentsOf(t, dir, filepath.Join(dir, "config.yml"))
			must(t, dir, "check", "config.yml")
			checkOpened(t, name, dir)
			must(t, dir, "apply", "config.yml", "--out", "out", "--backend", "go")
			checkWritten(t, filepath.Join(dir, "out"))
		})
	}
}

// Every method of the table is among the configurations, but for those that no
// configuration of mergekit's can say: segments are a search's, and files of statistics
// and singular values are ours.
func TestConfigsHaveEveryMethod(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "configs", "*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, file := range files {
		docs, err := recipes.ReadDocuments(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range docs {
			used[r.MethodNames()[0]] = true
		}
	}
	for _, m := range merge.Methods() {
		if !used[m.Name] && m.Name != "niche" && m.Statistic == nil && m.Derive == nil {
			t.Errorf("no configuration in testdata/configs merges by %s", m.Name)
		}
	}
}

// numberless are the configurations that leave init nothing to open: no number, and
// what the method may choose is chosen.
var numberless = []string{"arcee-fusion", "karcher", "model-stock-filterwise"}

// checkOpened checks that init makes a valid file, with holes that start at the
// numbers of the configuration, and that these are all that changed. Of several
// documents the last is opened.
func checkOpened(t *testing.T, name, dir string) {
	t.Helper()
	before := explainedBy(t, dir, "config.yml")
	if slices.Contains(numberless, name) {
		o := finish(t, process(t, dir, "init", "config.yml"))
		if o.code != exitUsage || !strings.Contains(o.stderr, before[0].Method+" has no number to search") {
			t.Errorf("init exits with %d: %s", o.code, o.stderr)
		}
		return
	}
	must(t, dir, "init", "config.yml", "--out", "search.yaml")
	must(t, dir, "check", "search.yaml")
	after := explainedBy(t, dir, "search.yaml")
	if len(after) != len(before) {
		t.Fatalf("explain lists %d tensors of the configuration and %d of what init made of it", len(before), len(after))
	}
	holes := 0
	for i, was := range before {
		is := after[i]
		if is.Tensor != was.Tensor || is.Base != was.Base || len(is.Models) != len(was.Models) {
			t.Fatalf("init made %+v of %+v", is, was)
		}
		method, ok := merge.Lookup(was.Method)
		if !ok {
			t.Fatalf("no method %s", was.Method)
		}
		holes += sameNumbers(t, method, was.Tensor, was.Shared, is.Shared)
		for j := range was.Models {
			if is.Models[j].Ref != was.Models[j].Ref || is.Models[j].Tensor != was.Models[j].Tensor {
				t.Fatalf("%s: init made %+v of %+v", was.Tensor, is.Models[j], was.Models[j])
			}
			holes += sameNumbers(t, method, was.Tensor+" of "+was.Models[j].Ref, was.Models[j].Params, is.Models[j].Params)
		}
	}
	if holes == 0 {
		t.Error("init opened no number that a tensor gets")
	}
}

// sameNumbers compares the parameters of a tensor, to a step of a hole's grid, and
// counts the holes.
func sameNumbers(t *testing.T, method *merge.Method, where string, was, is []recipes.Stated) (holes int) {
	t.Helper()
	if len(was) != len(is) {
		t.Fatalf("%s: %v became %v", where, was, is)
	}
	for k := range was {
		row, _ := method.Param(was[k].Name)
		if was[k].Hole || is[k].Name != was[k].Name || math.Abs(is[k].Value-was[k].Value) > row.Grid+1e-12 {
			t.Fatalf("%s: init made %+v of %+v", where, is[k], was[k])
		}
		if is[k].Hole {
			holes++
		}
	}
	return holes
}

func explainedBy(t *testing.T, dir, file string) []recipes.Explanation {
	t.Helper()
	var list []recipes.Explanation
	for line := range strings.Lines(must(t, dir, "explain", file, "--json")) {
		var e recipes.Explanation
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		list = append(list, e)
	}
	if len(list) == 0 {
		t.Fatalf("explain %s says nothing", file)
	}
	return list
}

// checkWritten checks that a model can be opened, and that its configuration counts
// the layers and rows that it has.
func checkWritten(t *testing.T, dir string) {
	t.Helper()
	c, err := tensors.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	text, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Layers int `json:"num_hidden_layers"`
		Rows   int `json:"vocab_size"`
		Text   struct {
			Layers int `json:"num_hidden_layers"`
			Rows   int `json:"vocab_size"`
		} `json:"text_config"`
	}
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	prefix, layers, rows := "model.", config.Layers, config.Rows
	if config.Text.Layers > 0 {
		prefix, layers, rows = "language_model.model.", config.Text.Layers, config.Text.Rows
	}
	if n := recipes.Depths(c.Tensors())[prefix+"layers."]; n != layers || n == 0 {
		t.Errorf("%d layers, config.json says %d", n, layers)
	}
	if e, ok := c.Lookup(prefix + "embed_tokens.weight"); !ok || e.Shape[0] != rows {
		t.Errorf("an embedding of %v, config.json says %d rows", e.Shape, rows)
	}
	for _, name := range []string{"tokenizer.json", "README.md", "mergevo_recipe.yaml"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(fmt.Errorf("the output lacks a file: %w", err))
		}
	}
}
