package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tokenizers/encode"
)

// outside is a program that scripts let mergevo run. It appends a line to the file
// OUTSIDE_LOG each time, and what is wrong with it is asked for by the candidate's number.
func outside() {
	if log := os.Getenv("OUTSIDE_LOG"); log != "" {
		f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		sure(err)
		fmt.Fprintln(f, strings.Join(os.Args[1:], " "))
		f.Close()
	}
	switch args := os.Args[2:]; os.Args[1] {
	case "checkpoint":
		checkpoint(args[0], args[1], args[2])
	case "file":
		sure(os.WriteFile(args[1], []byte(`{"tasks": {"a": {"score": 0.25}, "b": {"examples": [{"id": "x", "score": 1}, {"id": "y", "score": 0}]}}}`), 0o644))
	case "lengths":
		for s := bufio.NewScanner(os.Stdin); s.Scan(); {
			var w struct{ Prompt, Output string }
			sure(json.Unmarshal(s.Bytes(), &w))
			fmt.Printf("{\"score\": %d}\n", len(w.Prompt)+len([]rune(w.Output)))
		}
	default:
		harness(os.Args[1:])
	}
}

func sure(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "outside:", err)
		os.Exit(1)
	}
}

// checkpoint scores a model by how near its first weights are to 0.05. The folder has to
// be a whole model.
func checkpoint(dir, part, candidate string) {
	switch candidate {
	case "5":
		fmt.Fprintln(os.Stderr, "out of cheese")
		os.Exit(3)
	case "6":
		fmt.Println("garbage")
		return
	case "7":
		time.Sleep(time.Minute)
	}
	c, err := tensors.Open(dir)
	sure(err)
	if _, err := os.Stat(filepath.Join(dir, "config.json")); err != nil {
		sure(err)
	}
	values := make([]float32, 20)
	sure(c.ReadAt(values, c.Tensors()[0].Name, 0))
	from, to := 0, 20
	switch part {
	case "search":
		to = 12
	case "validation":
		from = 12
	}
	var list []map[string]any
	for i, v := range values[from:to] {
		list = append(list, map[string]any{"id": fmt.Sprint("weight ", from+i), "score": -math.Abs(float64(v) - 0.05)})
	}
	sure(json.NewEncoder(os.Stdout).Encode(map[string]any{"examples": list}))
}

// harness stands in for lm-evaluation-harness: with its arguments it asks the endpoint
// for the choices in decoder/choices.jsonl, and writes results and samples as it does.
func harness(args []string) {
	option := func(name string) string {
		if at := slices.Index(args, name); at >= 0 {
			return args[at+1]
		}
		return ""
	}
	of := map[string]string{}
	for _, kv := range strings.Split(option("--model_args"), ",") {
		k, v, _ := strings.Cut(kv, "=")
		of[k] = v
	}
	if option("--model") != "local-completions" || !slices.Contains(args, "--log_samples") || of["tokenized_requests"] != "True" {
		sure(fmt.Errorf("not asked as the harness is: %q", args))
	}
	tok, err := encode.Load(of["tokenizer"])
	sure(err)
	data, err := os.ReadFile("decoder/choices.jsonl")
	sure(err)
	dir := filepath.Join(option("--output_path"), of["model"])
	sure(os.MkdirAll(dir, 0o755))
	results := map[string]any{}
	for _, task := range strings.Split(option("--tasks"), ",") {
		var samples bytes.Buffer
		var right, n float64
		for i, line := range bytes.Split(bytes.TrimSpace(data), []byte("\n")) {
			if limit := option("--limit"); limit != "" && fmt.Sprint(i) == limit {
				break
			}
			var row struct {
				Prompt  string
				Choices []string
				Label   int
			}
			sure(json.Unmarshal(line, &row))
			best, at := math.Inf(-1), 0
			for j, c := range row.Choices {
				if l := likelihood(of["base_url"], tok, strings.TrimRight(row.Prompt, " "), row.Prompt+" "+c); l > best {
					best, at = l, j
				}
			}
			acc := 0
			if at == row.Label {
				acc = 1
			}
			right, n = right+float64(acc), n+1
			sure(json.NewEncoder(&samples).Encode(map[string]any{"doc_id": i, "doc_hash": fmt.Sprint("hash ", i), "filter": "none",
				"metrics": []string{"acc", "perplexity"}, "acc": acc, "perplexity": []float64{1, 2}, "filtered_resps": []any{at}}))
		}
		sure(os.WriteFile(filepath.Join(dir, "samples_"+task+"_2026-01-02T03-04-05.123456.jsonl"), samples.Bytes(), 0o644))
		results[task] = map[string]any{"alias": task, "acc,none": right / n, "acc_stderr,none": 0.1}
	}
	out, err := json.Marshal(map[string]any{"results": results, "group_subtasks": map[string]any{}, "higher_is_better": map[string]any{}})
	sure(err)
	sure(os.WriteFile(filepath.Join(dir, "results_2026-01-02T03-04-05.123456.json"), out, 0o644))
}

// likelihood is that of a text behind a prompt.
func likelihood(url string, tok *encode.Tokenizer, prompt, text string) (sum float64) {
	ids, from := tok.Plain(text), len(tok.Plain(prompt))
	if from == 0 {
		ids, from = append([]int{0}, ids...), 1
	}
	body, err := json.Marshal(map[string]any{"model": "m", "prompt": [][]int{ids}, "temperature": 0, "max_tokens": 1, "logprobs": 1, "seed": 1234, "echo": true})
	sure(err)
	res, err := http.Post(url, "application/json", bytes.NewReader(body))
	sure(err)
	defer res.Body.Close()
	var a struct {
		Choices []struct {
			LogProbs struct {
				Token []*float64 `json:"token_logprobs"`
			}
		}
		Error any
	}
	sure(json.NewDecoder(res.Body).Decode(&a))
	if len(a.Choices) != 1 {
		sure(fmt.Errorf("%v", a.Error))
	}
	for _, x := range a.Choices[0].LogProbs.Token[from:len(ids)] {
		sum += *x
	}
	return sum
}
