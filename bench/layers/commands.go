package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/mergevo/mergevo/bench/family"
)

// command is something that is measured.
type command struct {
	name  string
	args  []string
	makes []string // files of a run before, which are removed
}

// commands are what is measured, in an order in which what one makes another reads.
func (b *bench) commands() (list []command) {
	measure := func(kind, model string) command {
		to := model + "." + kind
		return command{kind + " of " + model, []string{kind, model, "--tasks", "tasks.yaml", "--out", to}, []string{to, to + ".partial"}}
	}
	apply := func(method string) command {
		return command{"apply " + method, []string{"apply", method + ".yaml", "--out", "out"}, []string{"out", "out.partial"}}
	}
	for _, m := range []string{"tsv_m", "iso_c", "iso_cts"} {
		list = append(list, apply(m))
	}
	for _, n := range iterations {
		list = append(list, apply(fmt.Sprintf("wudi-%d", n)))
	}
	list = append(list, measure("fisher", "ft1"), measure("fisher", "ft2"), apply("fisher"),
		measure("gram", "ft1"), measure("gram", "ft2"), apply("regmean"))
	list = append(list, command{"gram --progressive", []string{"gram", "progressive.yaml", "--progressive", "--tasks", "tasks.yaml"}, []string{"ft1.along", "ft2.along", "ft1.along.partial"}})
	return append(list, command{"refine of 5 steps", []string{"refine", "refine.yaml", "--steps", "5", "--batch", "4", "--out", "refined.yaml"}, []string{"refined.yaml"}})
}

// iterations are two numbers of wudi's, whose default is 300: it takes the same for each.
var iterations = []int{5, 15}

// prepare writes a family with what reads texts, and the recipes.
func (b *bench) prepare(ctx context.Context, dir string, s family.Shape) error {
	if err := family.Write(ctx, dir, s, 0); err != nil {
		return err
	}
	// Word i is token i.
	vocabulary := map[string]int{}
	for i := range s.Vocabulary {
		vocabulary[fmt.Sprintf("w%d", i)] = i
	}
	tokenizer, err := json.Marshal(map[string]any{
		"version": "1.0", "added_tokens": []any{}, "pre_tokenizer": map[string]any{"type": "WhitespaceSplit"},
		"model": map[string]any{"type": "WordLevel", "vocab": vocabulary, "unk_token": "w0"},
	})
	if err != nil {
		return err
	}
	var texts strings.Builder
	for t := range b.texts {
		var words []string
		for i := range b.tokens {
			words = append(words, fmt.Sprintf("w%d", (7919*(t*b.tokens+i)+1)%s.Vocabulary))
		}
		fmt.Fprintf(&texts, "{\"text\": %q}\n", strings.Join(words, " "))
	}
	files := map[string]string{
		"texts.jsonl": texts.String(),
		"tasks.yaml":  "tasks:\n  - {name: texts, kind: perplexity, data: texts.jsonl}\n",
		"refine.yaml": "merge_method: linear\nmodels:\n  - {model: ft1, parameters: {weight: {search: [0, 1]}}}\n  - {model: ft2, parameters: {weight: {search: [0, 1]}}}\nsearch:\n  tasks:\n    - {name: texts, kind: perplexity, data: texts.jsonl, split: {search: 0.5, validation: 0.5}}\n",
	}
	for _, m := range family.Models {
		files[filepath.Join(m, "tokenizer.json")] = string(tokenizer)
	}
	recipe := func(method, base, key, suffix string) string {
		text := "merge_method: " + method + "\n" + base + "models:\n"
		for _, m := range family.Models[1:] {
			text += "  - {model: " + m
			if key != "" {
				text += ", " + key + ": " + m + suffix
			}
			text += "}\n"
		}
		return text + "dtype: bfloat16\n"
	}
	for _, m := range []string{"tsv_m", "iso_c", "iso_cts"} {
		files[m+".yaml"] = recipe(m, "base_model: base\n", "", "")
	}
	for _, n := range iterations {
		files[fmt.Sprintf("wudi-%d.yaml", n)] = recipe("wudi", "base_model: base\n", "", "") + fmt.Sprintf("parameters: {iterations: %d}\n", n)
	}
	files["fisher.yaml"], files["regmean.yaml"] = recipe("fisher", "", "fisher", ".fisher"), recipe("regmean", "", "gram", ".gram")
	files["progressive.yaml"] = recipe("regmean", "", "gram", ".along")
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
