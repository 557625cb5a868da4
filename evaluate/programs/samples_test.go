package programs

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/evaluate"
)

// harnessWrote makes a folder as the harness leaves it.
func harnessWrote(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Join(dir, "mergevo"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "mergevo", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const day = "_2026-01-02T03-04-05.678901.json"

func TestReadHarness(t *testing.T) {
	files := map[string]string{
		"results" + day: `{"results": {
			"arc": {"alias": "arc", "acc,none": 0.5, "acc_stderr,none": 0.5, "brier,none": 0.25},
			"sums": {"exact_match,strict": 0.0, "exact_match,loose": 1.0},
			"mmlu": {"acc,none": 0.6}, "mmlu_a": {"acc,none": 1.0}, "mmlu_b/c": {"acc,none": 0.0}},
			"group_subtasks": {"mmlu": ["mmlu_x", "mmlu_a"], "mmlu_x": ["mmlu_b/c"], "arc": []},
			"higher_is_better": {"arc": {"acc": true, "brier": false, "odd": null}}}`,
		"samples_arc" + day + "l": `{"doc_id": 3, "doc_hash": "h3", "filter": "none", "metrics": ["ppl", "acc", "brier"], "ppl": [1, 2], "acc": true, "brier": 0.5, "filtered_resps": [["-1", "True"]]}
{"doc_id": 5, "doc_hash": "h5", "filter": "none", "metrics": ["ppl", "acc", "brier"], "ppl": [1, 2], "acc": 0, "brier": 0.0, "filtered_resps": [["-2", "True"]]}
`,
		"samples_sums" + day + "l": `{"doc_id": 0, "doc_hash": "a", "filter": "strict", "metrics": ["exact_match"], "exact_match": 0.0}
{"doc_id": 0, "doc_hash": "a", "filter": "loose", "metrics": ["exact_match"], "exact_match": 1.0}
`,
		"samples_mmlu_a" + day + "l":   `{"doc_id": 0, "doc_hash": "m", "filter": "none", "metrics": ["acc"], "acc": 1.0}` + "\n",
		"samples_mmlu_b_c" + day + "l": `{"doc_id": 0, "doc_hash": "n", "filter": "none", "metrics": ["acc"], "acc": 0.0}` + "\n",
	}
	dir := harnessWrote(t, files)
	one := func(task, metric string) Score {
		t.Helper()
		a, err := readHarness(dir, []string{task}, metric)
		if err != nil {
			t.Fatal(err)
		}
		return a[task]
	}
	s := one("arc", "")
	if s.Metric != "acc" || s.Value != 0.5 || !slices.Equal(s.IDs, []string{"3", "5"}) || !slices.Equal(s.Items, []float64{1, 0}) || s.Keys[0] != "lm_eval arc h3" || !s.Named {
		t.Errorf("%+v", s)
	}
	if s := one("arc", "brier"); !slices.Equal(s.Items, []float64{-0.5, 0}) || s.Value != -0.25 {
		t.Errorf("better when smaller: %+v", s)
	}
	if s := one("sums", ""); s.Value != 0 || len(s.Items) != 1 {
		t.Errorf("the first filter: %+v", s)
	}
	if s := one("sums", "exact_match,loose"); s.Value != 1 || len(s.Items) != 1 || s.Metric != "exact_match" {
		t.Errorf("a filter: %+v", s)
	}
	if s := one("mmlu", ""); s.Value != 0.5 || !slices.Equal(s.IDs, []string{"mmlu_b/c/0", "mmlu_a/0"}) {
		t.Errorf("a group: %+v", s)
	}
	for _, c := range []struct{ task, metric, want string }{
		{"arc", "ppl", `the metric "ppl" is no number of each example; there are acc, brier`},
		{"arc", "f1", `the metric "f1" is no number`},
		{"sums", "exact_match,none", `no sample has the filter "none"`},
		{"hella", "", "it wrote no samples of hella; it has arc, mmlu_a, mmlu_b_c, sums"},
	} {
		if _, err := readHarness(dir, []string{c.task}, c.metric); !evaluate.IsFailure(err) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %s", c.task, c.metric, err, c.want)
		}
	}
	files["results"+day] = `{"results": {"arc": {"acc,none": 0.9}}}`
	if _, err := readHarness(harnessWrote(t, files), []string{"arc"}, "acc"); err == nil || !strings.Contains(err.Error(), "the metric acc is 0.9 and the mean of its examples 0.5") {
		t.Errorf("a metric that is no mean: %v", err)
	}
	if _, err := readHarness(t.TempDir(), []string{"arc"}, "acc"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing written: %v", err)
	}
}

func TestHarnessArgv(t *testing.T) {
	shots := 0
	h := &Harness{Command: []string{"python3", "-m", "lm_eval"}, Args: []string{"--batch_size", "64"}, Tasks: []string{"a", "b"}, Limit: 7, FewShot: &shots, MaxLength: 512}
	got := strings.Join(h.Argv("http://x", "T", "O"), " ")
	for _, want := range []string{
		"python3 -m lm_eval --model local-completions --model_args model=mergevo,base_url=http://x,tokenizer=T,", ",max_length=513 ",
		" --tasks a,b ", " --output_path O --log_samples ", " --limit 7 --num_fewshot 0 --batch_size 64",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nlacks %s", got, want)
		}
	}
}
