package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The user's own lm-evaluation-harness, where it is on PATH, counts a served candidate as
// our task choice does, and as its own run of transformers on the checkpoint. It takes a
// minute or two; the stand-in of the scripts is quick and always there.
func TestHarness(t *testing.T) {
	lmEval, err := exec.LookPath("lm_eval")
	if err != nil {
		t.Skip("lm_eval is not on PATH: pip install 'lm-eval[api]'")
	}
	dir := t.TempDir()
	// A tokenizer that puts <s> before texts, as llama's do.
	decoder := filepath.Join(dir, "decoder")
	if err := os.CopyFS(decoder, os.DirFS(filepath.Join("..", "..", "evaluate", "testdata", "decoder"))); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(decoder, "tokenizer.json")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(data), `"post_processor": null`, `"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
		"pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}}}`, 1)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"tiny.yaml": `task: tiny
dataset_path: json
dataset_kwargs: {data_files: {test: DECODER/choices.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{prompt}}"
doc_to_choice: "{{choices}}"
doc_to_target: "{{label}}"
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm, aggregation: mean, higher_is_better: true}
`,
		"tasks.yml": `tasks:
  - {name: own, kind: choice, data: DECODER/choices.jsonl}
  - {name: own_norm, kind: choice, metric: acc_norm, data: DECODER/choices.jsonl}
  - {name: served, kind: lm_eval, tasks: [tiny], args: [--include_path, .]}
  - {name: served_norm, kind: lm_eval, tasks: [tiny], metric: acc_norm, args: [--include_path, .]}
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(text, "DECODER", decoder)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for k, v := range map[string]string{"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": filepath.Join(dir, "hf")} {
		t.Setenv(k, v)
	}
	out := must(t, dir, "eval", decoder, "--tasks", "tasks.yml", "--allow-commands", "--backend", "go", "--json")
	got := map[string]float64{}
	for line := range strings.Lines(out) {
		var s struct {
			Event, Task string
			Value       float64
			Examples    int
		}
		if json.Unmarshal([]byte(line), &s) == nil && s.Event == "score" {
			if got[s.Task] = s.Value; s.Examples != 30 {
				t.Errorf("%s has %d examples, not 30", s.Task, s.Examples)
			}
		}
	}
	c := exec.CommandContext(t.Context(), lmEval, "--model", "hf", "--model_args", "pretrained="+decoder+",dtype=float32", "--device", "cpu",
		"--tasks", "tiny", "--include_path", dir, "--batch_size", "4", "--output_path", filepath.Join(dir, "out"))
	if text, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "out", "*", "results_*.json"))
	if len(files) != 1 {
		t.Fatalf("results: %v", files)
	}
	data, err = os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var hf struct {
		Results map[string]map[string]any
	}
	if err := json.Unmarshal(data, &hf); err != nil {
		t.Fatal(err)
	}
	for metric, names := range map[string][2]string{"acc,none": {"own", "served"}, "acc_norm,none": {"own_norm", "served_norm"}} {
		want, ok := hf.Results["tiny"][metric].(float64)
		if own, served := got[names[0]], got[names[1]]; !ok || own != want || served != want {
			t.Errorf("%s: transformers %v, choice %v, served %v", metric, hf.Results["tiny"][metric], own, served)
		}
	}
}
