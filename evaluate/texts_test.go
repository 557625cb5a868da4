package evaluate_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/internal/xla"
	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tokenizers/encode"
)

// reader is a tiny model with its tokenizer.
type reader struct {
	dir     string
	parents *merge.Parents
	model   *models.Model
	tok     *encode.Tokenizer
}

func newReader(t *testing.T, name string) *reader {
	t.Helper()
	r := &reader{dir: filepath.Join("testdata", name)}
	c, err := tensors.Open(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if r.parents, err = merge.NewParents([]string{name}, []tensors.Source{c}, nil, merge.MissingRefuse, false); err != nil {
		t.Fatal(err)
	}
	if r.model, err = models.Load(r.dir, c.Tensors()); err != nil {
		t.Fatal(err)
	}
	if r.tok, err = encode.Load(r.dir); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *reader) load(t *testing.T, task evaluate.Task) *evaluate.Dataset {
	t.Helper()
	parts, err := evaluate.LoadTexts(r.fill(task), r.model.Text, r.tok)
	if err != nil {
		t.Fatal(err)
	}
	return parts[evaluate.Search]
}

// fill adds the folder and the usual names of keys.
func (r *reader) fill(task evaluate.Task) evaluate.Task {
	task.Data = filepath.Join(r.dir, task.Data)
	if task.Head != "" {
		task.Head = filepath.Join(r.dir, task.Head)
	}
	if task.Text == "" {
		task.Text = "text"
	}
	if task.Label == "" {
		task.Label = "label"
	}
	return task
}

func (r *reader) score(t *testing.T, b *xla.Backend, sets ...*evaluate.Dataset) evaluate.Result {
	t.Helper()
	pop, err := merge.Load(b.Backend, r.parents)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pop.Finalize)
	// Calls of few tokens, so that there are several of each length.
	d, err := evaluate.Place(pop, r.model, sets, evaluate.Plan{Slice: 1, Rows: 1, Tokens: 256})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Finalize)
	return scoreSelf(t, d)
}

// scoreSelf scores the only parent.
func scoreSelf(t *testing.T, d evaluate.Evaluator) evaluate.Result {
	t.Helper()
	linear, _ := merge.Lookup("linear")
	v := linear.NewValues()
	v.Set("weight", 1)
	s := &merge.Spec{Method: linear, Parts: []merge.Part{{Base: -1, Inputs: []int{0}}},
		Params: func(string) (merge.Values, []merge.Values) { return linear.NewValues(), []merge.Values{v} }}
	results, err := d.Evaluate(t.Context(), []evaluate.Model{{Spec: s}})
	if err != nil {
		t.Fatal(err)
	}
	if results[0].Err != nil {
		t.Fatal(results[0].Err)
	}
	return results[0]
}

func expected(t *testing.T, dir string, v any) {
	data, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) < 1e-4*math.Max(1, math.Abs(want))) {
		t.Errorf("%s: %g, want %g", what, got, want)
	}
}

// Classes, log-likelihoods and correlations of an encoder are those of transformers,
// with several tasks in one batch.
func TestEncoderTasks(t *testing.T) {
	r := newReader(t, "encoder")
	var want struct {
		Two, Five struct {
			Predicted     []int32
			LogLikelihood []float64 `json:"log_likelihood"`
		}
		Pairs struct{ Spearman float64 }
	}
	expected(t, r.dir, &want)
	two := r.load(t, evaluate.Task{Name: "two", Kind: evaluate.Classification, Data: "two.jsonl", Head: "two.safetensors", MaxLength: 24})
	five := r.load(t, evaluate.Task{Name: "five", Kind: evaluate.Classification, Metric: evaluate.LogLikelihood, Data: "five.jsonl", Head: "five.safetensors", Pooling: "cls", MaxLength: 16})
	pairs := r.load(t, evaluate.Task{Name: "pairs", Kind: evaluate.STS, Data: "pairs.jsonl", Second: "second", Label: "score"})
	for _, b := range xlatest.Backends(t) {
		t.Run(b.Kind, func(t *testing.T) {
			got := r.score(t, b, two, five, pairs)
			right, sum := 0, 0.0
			seen := map[int32]bool{}
			for i := range 40 {
				if got.Predicted[i] != want.Two.Predicted[i] || got.Predicted[40+i] != want.Five.Predicted[i] {
					t.Errorf("text %d: classes %d and %d, want %d and %d", i, got.Predicted[i], got.Predicted[40+i], want.Two.Predicted[i], want.Five.Predicted[i])
				}
				seen[got.Predicted[40+i]] = true
				near(t, "log-likelihood", float64(got.Items[40+i]), want.Five.LogLikelihood[i])
				if want.Two.Predicted[i] == two.Labels[i] {
					right++
				}
				sum += want.Five.LogLikelihood[i]
			}
			if len(seen) < 2 {
				t.Error("the model answers one class only: the test says little")
			}
			near(t, "accuracy", got.Tasks["two"], float64(right)/40)
			near(t, "mean log-likelihood", got.Tasks["five"], sum/40)
			near(t, "Spearman", got.Tasks["pairs"], want.Pairs.Spearman)
		})
	}
}

// Perplexities and choices of a decoder are those of transformers, counted as
// lm-evaluation-harness counts.
func TestDecoderTasks(t *testing.T) {
	r := newReader(t, "decoder")
	var want struct {
		Texts, Answers struct {
			LogLikelihood float64 `json:"log_likelihood"`
		}
		Choices struct {
			Acc           []float32
			AccNorm       []float32 `json:"acc_norm"`
			LogLikelihood []float64 `json:"log_likelihood"`
		}
	}
	expected(t, r.dir, &want)
	choices := func(metric string) *evaluate.Dataset {
		return r.load(t, evaluate.Task{Name: metric, Kind: evaluate.Choice, Metric: metric, Data: "choices.jsonl", Prompt: "prompt", Choices: "choices"})
	}
	texts := r.load(t, evaluate.Task{Name: "texts", Kind: evaluate.PerplexityKind, Data: "texts.jsonl"})
	answers := r.load(t, evaluate.Task{Name: "answers", Kind: evaluate.PerplexityKind, Data: "texts.jsonl", Prompt: "prompt"})
	sets := []*evaluate.Dataset{texts, answers, choices(evaluate.Acc), choices(evaluate.AccNorm), choices(evaluate.LogLikelihood)}
	for _, b := range xlatest.Backends(t) {
		t.Run(b.Kind, func(t *testing.T) {
			got := r.score(t, b, sets...)
			near(t, "log-likelihood of a token", got.Tasks["texts"], want.Texts.LogLikelihood)
			near(t, "of an answer's", got.Tasks["answers"], want.Answers.LogLikelihood)
			for i := range 30 {
				near(t, "acc", float64(got.Items[60+i]), float64(want.Choices.Acc[i]))
				near(t, "acc_norm", float64(got.Items[90+i]), float64(want.Choices.AccNorm[i]))
				near(t, "log-likelihood of the right choice", float64(got.Items[120+i]), want.Choices.LogLikelihood[i])
			}
		})
	}
}

// Prompts and options become tokens as in lm-evaluation-harness 0.4.13: special tokens
// of the tokenizer once, none before an option alone, spaces of Python's moved to the option.
func TestChoicesWithSpecialTokens(t *testing.T) {
	r := newReader(t, "decoder")
	dir := t.TempDir()
	data, err := os.ReadFile(filepath.Join(r.dir, "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	data = []byte(strings.Replace(string(data), `"post_processor": null`, `"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{"<s>":{"id":"<s>","ids":[0],"tokens":["<s>"]}}}`, 1))
	lines := `{"prompt": "the cat", "choices": ["runs", ""], "label": 0}
{"prompt": "", "choices": ["<s>a", "a"], "label": 0}
{"prompt": "<s>the\u001f\u00a0", "choices": ["a", "b"], "label": 0}`
	for name, text := range map[string]string{"tokenizer.json": string(data), "tokenizer_config.json": `{"bos_token": "<s>"}`, "c.jsonl": lines} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if r.tok, err = encode.Load(dir); err != nil {
		t.Fatal(err)
	}
	none := ""
	r.dir = dir
	d := r.load(t, evaluate.Task{Name: "c", Kind: evaluate.Choice, Metric: evaluate.AccNorm, Data: "c.jsonl", Prompt: "prompt", Choices: "choices"})
	bare := r.load(t, evaluate.Task{Name: "c", Kind: evaluate.Choice, Data: "c.jsonl", Prompt: "prompt", Choices: "choices", Delimiter: &none})
	cut := r.load(t, evaluate.Task{Name: "c", Kind: evaluate.Choice, Data: "c.jsonl", Prompt: "prompt", Choices: "choices", MaxLength: 3})
	if q, whole := cut.Sequences[0], d.Sequences[0]; !slices.Equal(q.IDs, whole.IDs[len(whole.IDs)-4:]) || q.From != whole.From-(len(whole.IDs)-4) {
		t.Errorf("cut to %v from %d of %v from %d; three tokens are read and one more is asked for", q.IDs, q.From, whole.IDs, whole.From)
	}
	for i, c := range []struct {
		set  *evaluate.Dataset
		text string // of all tokens, <s> being token 0
		from int
	}{
		{d, "<s>the cat runs", len(r.tok.Plain("the cat")) + 1},
		{d, "<s>the cat ", len(r.tok.Plain("the cat")) + 1},
		{bare, "<s>a", 1},
		{bare, "<s>a", 1},
		{d, "<s>the\u001f\u00a0 a", len(r.tok.Plain("<s>the"))},
		{d, "<s>the\u001f\u00a0 b", len(r.tok.Plain("<s>the"))},
	} {
		var want []int32
		for _, id := range r.tok.Plain(c.text) {
			want = append(want, int32(id))
		}
		if q := c.set.Sequences[i]; !slices.Equal(q.IDs, want) || q.From != c.from {
			t.Errorf("option %d: %v from %d, want %v from %d", i, q.IDs, q.From, want, c.from)
		}
	}
}

// A text longer than max_length is scored in windows: each token after the first
// counts once.
func TestWindows(t *testing.T) {
	r := newReader(t, "decoder")
	whole := r.load(t, evaluate.Task{Name: "w", Kind: evaluate.PerplexityKind, Data: "texts.jsonl"})
	cut := r.load(t, evaluate.Task{Name: "w", Kind: evaluate.PerplexityKind, Data: "texts.jsonl", MaxLength: 5})
	counted := func(d *evaluate.Dataset) (n int) {
		for _, q := range d.Sequences {
			n += len(q.IDs) - q.From
		}
		return n
	}
	if a, b := counted(whole), counted(cut); a != b || len(cut.Sequences) <= len(whole.Sequences) {
		t.Errorf("%d tokens count whole, %d in windows; %d windows", a, b, len(cut.Sequences))
	}
}

func TestTextErrors(t *testing.T) {
	enc, dec := newReader(t, "encoder"), newReader(t, "decoder")
	bad := filepath.Join(t.TempDir(), "bad.jsonl")
	write := func(line string) {
		if err := os.WriteFile(bad, []byte("{\"text\": \"a\", \"label\": 0, \"prompt\": \"a\", \"choices\": [\"b\", \"c\"]}\n"+line+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	head := filepath.Join("testdata", "encoder", "five.safetensors")
	class := evaluate.Task{Name: "t", Kind: evaluate.Classification, Data: bad, Text: "text", Label: "label", Head: head}
	with := func(change func(*evaluate.Task)) evaluate.Task { t := class; change(&t); return t }
	for _, c := range []struct {
		r    *reader
		line string
		task evaluate.Task
		want string
	}{
		{enc, `{"text": "b"`, class, "bad.jsonl:2: not a JSON object"},
		{enc, `{"texts": "b", "label": 1}`, class, `bad.jsonl:2: no key "text"; it has label, texts`},
		{enc, `{"text": "b", "label": 5}`, class, `bad.jsonl:2: "label" is 5, there are 5`},
		{enc, `{"text": "b", "label": "class 9"}`, class, `the class "class 9" is not among the head's: class 0, class 1`},
		{enc, `{"text": "b", "label": "class 4"}`, with(func(t *evaluate.Task) { t.Head = "" }), "name its file with head"},
		{enc, `{"text": "b", "label": 1}`, with(func(t *evaluate.Task) { t.MaxLength = 41 }), "max_length is 41, the model takes 40"},
		{enc, `{"text": "b", "label": 1}`, with(func(t *evaluate.Task) { t.Head = "testdata/encoder/model.safetensors" }), "no head.weight [classes, 16]"},
		{enc, `{"text": "b"}`, evaluate.Task{Name: "t", Kind: evaluate.PerplexityKind, Data: bad, Text: "text"}, "needs a model that predicts tokens"},
		{dec, `{"text": "b", "prompt": "c"}`, evaluate.Task{Name: "t", Kind: evaluate.PerplexityKind, Data: bad, Text: "text", Prompt: "prompt"}, `"text" does not begin with "prompt"`},
		{dec, `{"prompt": "b", "choices": "c", "label": 0}`, evaluate.Task{Name: "t", Kind: evaluate.Choice, Data: bad, Prompt: "prompt", Choices: "choices", Label: "label"}, `"choices" is not a list`},
		{dec, `{"prompt": "b", "choices": ["c", "d"], "label": 2}`, evaluate.Task{Name: "t", Kind: evaluate.Choice, Data: bad, Prompt: "prompt", Choices: "choices", Label: "label"}, `"label" is 2, there are 2`},
	} {
		write(c.line)
		_, err := evaluate.LoadTexts(c.task, c.r.model.Text, c.r.tok)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\ngot  %v\nwant %s", c.line, err, c.want)
		}
	}
}
