package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// example is the folder, from the repository's root, of a small model with a tokenizer
// and texts.
const example = "evaluate/testdata/decoder"

// Tasks of a search: those that write tokens, which need a cache, and those that read.
const (
	writingTasks = `    - {name: writing, kind: generate, data: writing.jsonl, max_tokens: 128}
    - {name: texts, kind: perplexity, data: texts.jsonl}
`
	readingTasks = `    - {name: texts, kind: perplexity, data: texts.jsonl}
`
)

// writeRecipe writes a search of a family's models beside them, and what it reads.
func writeRecipe(dir string, models []string, tasks string) (string, error) {
	for to, from := range map[string]string{
		"writing.jsonl": "writing.jsonl", "texts.jsonl": "texts.jsonl",
		"base/tokenizer.json": "tokenizer.json", "base/tokenizer_config.json": "tokenizer_config.json",
	} {
		data, err := os.ReadFile(filepath.Join(example, from))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, to), data, 0o644)
		}
		if err != nil {
			return "", err
		}
	}
	text := "merge_method: task_arithmetic\nbase_model: ./base\nmodels:\n"
	for _, m := range models {
		text += fmt.Sprintf("  - {model: ./%s, parameters: {weight: {search: [0, 1], start: 0.4}}}\n", m)
	}
	text += "dtype: bfloat16\nsearch:\n  optimizer: {name: cmaes, population: 4}\n  evaluations: 5\n  tasks:\n" + tasks
	path := filepath.Join(dir, "search.yaml")
	return path, os.WriteFile(path, []byte(text), 0o644)
}

// writeLong makes what the tasks read 256 prompts and texts of about 500 tokens.
func writeLong(dir string) error {
	words := strings.Repeat("red cat house runs near the blue small ", 60)
	var prompts, texts strings.Builder
	for i := range 256 {
		fmt.Fprintf(&prompts, "{\"prompt\": \"%d %s\", \"answer\": \"red\"}\n", i, words)
		fmt.Fprintf(&texts, "{\"text\": \"%d %s\"}\n", i, words)
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "writing.jsonl"), []byte(prompts.String()), 0o644),
		os.WriteFile(filepath.Join(dir, "texts.jsonl"), []byte(texts.String()), 0o644))
}

// memoryOf is the part of a plan that says what takes memory.
func memoryOf(plan string) (out string) {
	in := false
	for line := range strings.Lines(plan) {
		in = strings.HasPrefix(line, "memory") || in && strings.HasPrefix(line, " ")
		if in {
			out += line
		}
	}
	return out
}
