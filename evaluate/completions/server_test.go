package completions_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/completions"
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/internal/xla"
	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tokenizers/encode"
)

var decoder = filepath.Join("..", "testdata", "decoder")

// served is the tiny decoder at an endpoint.
type served struct {
	server *completions.Server
	pop    *merge.Population
	model  *models.Model
	tok    *encode.Tokenizer
	spec   *merge.Spec
}

func serve(t *testing.T, b *xla.Backend) *served {
	t.Helper()
	c, err := tensors.Open(decoder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	parents, err := merge.NewParents([]string{"decoder"}, []tensors.Source{c}, nil, merge.MissingRefuse, false)
	if err != nil {
		t.Fatal(err)
	}
	s := &served{}
	if s.model, err = models.Load(decoder, c.Tensors()); err != nil {
		t.Fatal(err)
	}
	if s.tok, err = encode.Load(decoder); err != nil {
		t.Fatal(err)
	}
	if s.pop, err = merge.Load(b.Backend, parents); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.pop.Finalize)
	linear, _ := merge.Lookup("linear")
	v := linear.NewValues()
	v.Set("weight", 1)
	s.spec = &merge.Spec{Method: linear, Parts: []merge.Part{{Base: -1, Inputs: []int{0}}},
		Params: func(string) (merge.Values, []merge.Values) { return linear.NewValues(), []merge.Values{v} }}
	host := evaluate.NewHost(s.pop, s.model, s.tok, evaluate.Plan{Tokens: 256})
	t.Cleanup(host.Finalize)
	held, err := host.Hold(t.Context(), s.spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(held.Free)
	if s.server, err = completions.Serve(t.Context(), held, s.tok); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.server.Close)
	return s
}

type answer struct {
	Choices []struct {
		Text     string
		Index    int
		LogProbs *struct {
			Tokens        []string
			TokenLogProbs []*float64           `json:"token_logprobs"`
			TopLogProbs   []map[string]float64 `json:"top_logprobs"`
			TextOffset    []int                `json:"text_offset"`
		}
	}
	Error struct{ Message, Type string }
}

// ask sends a request as the harness does.
func (s *served) ask(t *testing.T, q map[string]any) (a answer, status int) {
	t.Helper()
	body, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Post(s.server.Address(), "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&a); err != nil {
		t.Fatal(err)
	}
	return a, res.StatusCode
}

// continuation is the log-likelihood of what stands behind the first tokens, and whether
// it is what greedy decoding writes, counted as the harness counts.
func continuation(a answer, i, from int) (sum float64, greedy bool) {
	l := a.Choices[i].LogProbs
	greedy = true
	for j := from; j < len(l.TokenLogProbs)-1; j++ {
		sum += *l.TokenLogProbs[j]
		top := math.Inf(-1)
		for _, x := range l.TopLogProbs[j] {
			top = math.Max(top, x)
		}
		greedy = greedy && top == *l.TokenLogProbs[j]
	}
	return sum, greedy
}

// tops sums the largest of each.
func tops(list []map[string]float64) (sum float64) {
	for _, m := range list {
		sum += slices.Max(slices.Collect(maps.Values(m)))
	}
	return sum
}

func lines[T any](t *testing.T, name string) (out []T) {
	t.Helper()
	f, err := os.Open(filepath.Join(decoder, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var row T
		if err := json.Unmarshal(s.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		out = append(out, row)
	}
	return out
}

// Choices that a client counts by the endpoint's numbers are those of the task choice.
func TestChoices(t *testing.T) {
	type row struct {
		Prompt  string
		Choices []string
		Label   int
	}
	rows := lines[row](t, "choices.jsonl")
	for _, b := range xlatest.Backends(t) {
		t.Run(b.Kind, func(t *testing.T) {
			s := serve(t, b)
			var sets []*evaluate.Dataset
			for _, metric := range []string{evaluate.LogLikelihood, evaluate.Acc, evaluate.AccNorm} {
				parts, err := evaluate.LoadTexts(evaluate.Task{Name: metric, Kind: evaluate.Choice, Metric: metric, Data: filepath.Join(decoder, "choices.jsonl"),
					Prompt: "prompt", Choices: "choices", Label: "label"}, s.model.Text, s.tok)
				if err != nil {
					t.Fatal(err)
				}
				sets = append(sets, parts[evaluate.Search])
			}
			d, err := evaluate.Place(s.pop, s.model, sets, evaluate.Plan{Slice: 1, Rows: 1, Tokens: 256})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Finalize()
			want, err := d.Evaluate(t.Context(), []evaluate.Model{{Spec: s.spec}})
			if err != nil || want[0].Err != nil {
				t.Fatal(err, want[0].Err)
			}
			n := len(rows)
			var prompts [][]int
			var from []int
			for _, row := range rows {
				for _, c := range row.Choices {
					bare := strings.TrimRight(row.Prompt, " \t\n\r")
					ids, at := s.tok.Plain(row.Prompt+" "+c), len(s.tok.Plain(bare))
					if at == 0 {
						ids, at = append([]int{0}, ids...), 1 // <s>
					}
					prompts, from = append(prompts, ids), append(from, at)
				}
			}
			a, status := s.ask(t, map[string]any{"model": "m", "prompt": prompts, "temperature": 0, "max_tokens": 1, "logprobs": 1, "seed": 1234, "echo": true})
			if status != http.StatusOK {
				t.Fatal(a.Error)
			}
			at := 0
			for i, row := range rows {
				best, bestNorm := 0, 0
				var sums, norms []float64
				for j := range row.Choices {
					sum, greedy := continuation(a, at, from[at])
					if next := a.Choices[at].LogProbs; greedy != (sum == tops(next.TopLogProbs[from[at]:len(next.TopLogProbs)-1])) {
						t.Errorf("row %d: greedy is %t", i, greedy)
					}
					at++
					sums, norms = append(sums, sum), append(norms, sum/float64(utf8.RuneCountInString(row.Choices[j])))
					if sums[j] > sums[best] {
						best = j
					}
					if norms[j] > norms[bestNorm] {
						bestNorm = j
					}
				}
				if got := float32(sums[row.Label]); math.Abs(float64(got-want[0].Items[i])) > 1e-4 {
					t.Errorf("row %d: log-likelihood %g, the task has %g", i, got, want[0].Items[i])
				}
				if (best == row.Label) != (want[0].Items[n+i] == 1) || (bestNorm == row.Label) != (want[0].Items[2*n+i] == 1) {
					t.Errorf("row %d: %d and %d, the task has %v and %v", i, best, bestNorm, want[0].Items[n+i], want[0].Items[2*n+i])
				}
			}
		})
	}
}

// What is written is what transformers writes, up to a stop, and is the likeliest by the
// endpoint's own log-probabilities.
func TestWriting(t *testing.T) {
	type row struct{ Prompt, Answer string }
	rows := lines[row](t, "writing.jsonl")
	for _, b := range xlatest.Backends(t) {
		t.Run(b.Kind, func(t *testing.T) {
			s := serve(t, b)
			var prompts []string
			for _, r := range rows {
				prompts = append(prompts, r.Prompt)
			}
			a, status := s.ask(t, map[string]any{"prompt": prompts, "max_tokens": 40, "temperature": 0})
			if status != http.StatusOK {
				t.Fatal(a.Error)
			}
			for i, c := range a.Choices {
				if c.Index != i || c.Text != rows[i].Answer {
					t.Errorf("row %d: %q, want %q", i, c.Text, rows[i].Answer)
				}
			}
			if b.Kind != "go" {
				return // each length of an answer is compiled, and says the same
			}
			stop := string([]rune(rows[0].Answer)[3:5])
			a, _ = s.ask(t, map[string]any{"prompt": rows[0].Prompt, "max_tokens": 40, "stop": []string{stop, "never said"}})
			if want, _, _ := strings.Cut(rows[0].Answer, stop); len(a.Choices) != 1 || a.Choices[0].Text != want {
				t.Errorf("up to %q: %+v, want %q", stop, a.Choices, want)
			}
			// The token behind the prompt is the one that is likeliest, whose score is its top.
			a, _ = s.ask(t, map[string]any{"prompt": rows[0].Prompt, "max_tokens": 1, "echo": true, "logprobs": 1})
			l := a.Choices[0].LogProbs
			last := len(l.Tokens) - 1
			if l.TokenLogProbs[0] != nil || l.TopLogProbs[0] != nil || len(l.TopLogProbs[last]) != 1 || *l.TokenLogProbs[last] != l.TopLogProbs[last][l.Tokens[last]] {
				t.Errorf("%+v", l)
			}
			without, _ := s.ask(t, map[string]any{"prompt": rows[0].Prompt, "max_tokens": 0, "echo": true, "logprobs": 1})
			if n := len(without.Choices[0].LogProbs.Tokens); n != last {
				t.Errorf("%d tokens without one more, %d with it", n, last+1)
			}
			echoed, _ := s.ask(t, map[string]any{"prompt": rows[0].Prompt, "max_tokens": 40, "echo": true})
			if text := echoed.Choices[0].Text; !strings.HasSuffix(text, rows[0].Answer) || !strings.Contains(text, rows[0].Prompt) {
				t.Errorf("echoed: %q", text)
			}
		})
	}
}

// What is asked otherwise than greedily, or is no request, is refused and says why.
func TestRefusals(t *testing.T) {
	s := serve(t, xlatest.Backends(t)[0])
	long := make([]int, 65)
	for want, q := range map[string]map[string]any{
		"temperature is 0.8":                         {"prompt": "a", "temperature": 0.8},
		"n and best_of are 1":                        {"prompt": "a", "n": 3},
		"stream, suffix, penalties and logit_bias":   {"prompt": "a", "stream": true},
		"max_tokens is -1":                           {"prompt": "a", "max_tokens": -1},
		"logprobs is 5":                              {"prompt": "a", "logprobs": 5},
		"stop is a text or a list of texts":          {"prompt": "a", "stop": 7},
		"prompt is a text, a list of texts":          {"prompt": map[string]int{}},
		"logprobs are given of prompts":              {"prompt": "a", "logprobs": 1, "max_tokens": 4},
		"sequence 0 has 65 tokens, the model takes ": {"prompt": long, "max_tokens": 1},
		"sequence 1 has the id 300, the model has ":  {"prompt": [][]int{{1}, {300}}, "max_tokens": 1, "echo": true},
		"sequence 0 is empty":                        {"prompt": [][]int{{}}, "max_tokens": 1, "echo": true},
	} {
		a, status := s.ask(t, q)
		if status == http.StatusOK || !strings.Contains(a.Error.Message, want) {
			t.Errorf("%v: %d, %+v, want %s", q, status, a.Error, want)
		}
	}
	n, err := s.server.Served()
	if n != 0 || err == nil {
		t.Errorf("%d served, %v", n, err)
	}
	for _, path := range []string{"/v1/completions", "/"} {
		at := s.server.Address()
		res, err := http.Post(at[:strings.Index(at[8:], "/")+8]+path, "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
}
