package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/merge"
)

func fromMergekit(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "from-mergekit.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// rowWith is the first row of a table whose first cell holds a word.
func rowWith(text, word string) string {
	for line := range strings.Lines(text) {
		if cell, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), " | "); ok && strings.HasPrefix(line, "| ") && strings.Contains(cell, word) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// Every flag of mergekit's that the program knows has a row that says what it says.
func TestFromMergekitHasEveryFlag(t *testing.T) {
	text := fromMergekit(t)
	for _, flag := range slices.Sorted(maps.Keys(pasted)) {
		if row := rowWith(text, "`--"+flag+"`"); !strings.HasSuffix(row, "| "+pasted[flag]+" |") {
			t.Errorf("docs/from-mergekit.md says %q of --%s; it needs the row\n| `--%s` | %s |", row, flag, flag, pasted[flag])
		}
	}
}

// Every method whose numbers differ by design, and every parameter that does nothing,
// has its row.
func TestFromMergekitHasEveryDeviation(t *testing.T) {
	text := fromMergekit(t)
	_, deviations, ok := strings.Cut(text, "**Numbers that differ by design.**")
	accepted, _, there := strings.Cut(text, "**Refused.**")
	if !ok || !there {
		t.Fatal("docs/from-mergekit.md lacks its parts")
	}
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range merge.Methods() {
		if !strings.Contains(string(readme), "`"+m.Name+"`") {
			t.Errorf("README.md does not name %s", m.Name)
		}
		if m.Deviation != "" && rowWith(deviations, "`"+m.Name+"`") == "" {
			t.Errorf("no row for %s: %s", m.Name, m.Deviation)
		}
		for _, p := range m.Inert {
			found := false
			for line := range strings.Lines(accepted) {
				found = found || strings.Contains(line, "`"+p+"`") && (strings.Contains(line, "`"+m.Name+"`") || strings.Contains(line, "every method"))
			}
			if !found {
				t.Errorf("no row says that %s does nothing in %s", p, m.Name)
			}
		}
	}
}

// What the page says that the program prints, it prints.
func TestFromMergekitQuotes(t *testing.T) {
	t.Parallel()
	text := fromMergekit(t)
	dir := t.TempDir()
	for _, name := range []string{"base", "a", "b"} {
		tinyModel(t, filepath.Join(dir, name), map[string]int{"": 2}, vocabulary)
	}
	tinyModel(t, filepath.Join(dir, "wide"), map[string]int{"": 2}, append(vocabulary[:len(vocabulary):len(vocabulary)], chatTokens...))
	tinyModel(t, filepath.Join(dir, "deep"), map[string]int{"": 3}, vocabulary)
	tinyModel(t, filepath.Join(dir, "nan"), map[string]int{"": 2}, vocabulary)
	spoil(t, filepath.Join(dir, "nan", "model.safetensors"))
	const on = "base_model: base\nmodels: [{model: "
	for _, c := range []struct{ name, recipe, quotes string }{
		{"parameter", "merge_method: task_arithmetic\n" + on + "a, parameters: {weight: 1}}]\nparameters: {lamda: 5}\n", `task_arithmetic has no parameter "lamda"|did you mean "lambda"?`},
		{"key", "merge_method: linear\nmodels: [{model: a, parameters: {weight: 1}}]\ndtyp: bfloat16\n", `unknown key "dtyp" in a recipe|did you mean "dtype"?`},
		{"method", "merge_method: dare-ties\n" + on + "a, parameters: {weight: 1}}]\n", `unknown merge method "dare-ties"|did you mean "dare_ties"?`},
		{"dtype", "merge_method: linear\nmodels: [{model: a, parameters: {weight: 1}}]\ndtype: fp16\n", `dtype is bfloat16, float16, float32, float64, not "fp16"`},
		{"range", "merge_method: ties\n" + on + "a, parameters: {weight: 1, density: 1.5}}]\n", `density = 1.5 is outside [0, 1]`},
		{"sum", "merge_method: linear\nmodels: [{model: a, parameters: {weight: 1}}, {model: b, parameters: {weight: -1}}]\n", `the weights sum to 0 and normalize divides by it: change a weight or set normalize: false`},
		{"barycentre", "merge_method: multislerp\nmodels: [{model: a, parameters: {weight: 1}}, {model: b, parameters: {weight: -1}}]\n", `the weights sum to 0 and normalize_weights divides by it`},
		{"nan", "merge_method: task_arithmetic\n" + on + "nan, parameters: {weight: 1}}]\n", `holds NaN at index 2 (--allow-nonfinite merges it all the same)`},
		{"tensors", "merge_method: task_arithmetic\n" + on + "deep, parameters: {weight: 1}}]\n", `missing in base (--allow-missing base or skip goes on without it)`},
		{"rows", "merge_method: task_arithmetic\n" + on + "wide, parameters: {weight: 1}}]\n", `tokenizer_source: base or union in the recipe makes them one`},
		{"filter", "merge_method: slerp\n" + on + "a}]\nparameters: {t: [{filter: attn_self, value: 0}, {value: 0.5}]}\n", `filter "attn_self" matches no tensor`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(dir, c.name+".yml"), []byte(c.recipe), 0o644); err != nil {
				t.Fatal(err)
			}
			o := finish(t, process(t, dir, "apply", c.name+".yml", "--out", "out", "--backend", "go"))
			if o.code == 0 {
				t.Error("it is applied")
			}
			for quote := range strings.SplitSeq(c.quotes, "|") {
				if !strings.Contains(o.stderr, quote) {
					t.Errorf("it says %q, not %q", o.stderr, quote)
				}
				if !strings.Contains(text, "`"+quote+"`") {
					t.Errorf("docs/from-mergekit.md does not quote %q", quote)
				}
			}
			if _, err := os.Stat(filepath.Join(dir, "out")); err == nil {
				t.Error("something was written")
			}
		})
	}
}
