package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/bench/family"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tokenizers/encode"
)

// What is measured finds recipes that are valid, and texts of as many tokens as asked for.
func TestPrepared(t *testing.T) {
	b := &bench{texts: 3, tokens: 5}
	dir := t.TempDir()
	if err := b.prepare(t.Context(), dir, family.Shape{Hidden: 64, Intermediate: 96, Layers: 1, Vocabulary: 128, Heads: 1, KVHeads: 1}); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, c := range b.commands() {
		if seen[c.name] {
			t.Errorf("%s is measured twice", c.name)
		}
		seen[c.name] = true
		for _, a := range c.args {
			if filepath.Ext(a) != ".yaml" || a == "tasks.yaml" || strings.HasPrefix(a, "refined") {
				continue
			}
			text, err := os.ReadFile(filepath.Join(dir, a))
			if err == nil {
				_, err = recipes.Parse(a, text)
			}
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
	if _, ok, err := recipes.ReadTasks(filepath.Join(dir, "tasks.yaml")); !ok || err != nil {
		t.Errorf("tasks: %v", err)
	}
	tok, err := encode.Load(filepath.Join(dir, "ft1"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "texts.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d texts", len(lines))
	}
	text := strings.TrimSuffix(strings.TrimPrefix(lines[1], `{"text": "`), `"}`)
	if ids := tok.Encode(text); len(ids) != 5 {
		t.Errorf("%q has tokens %v", text, ids)
	}
}
