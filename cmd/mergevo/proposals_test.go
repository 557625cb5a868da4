package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/mergevo/mergevo/evolve/evolvetest"
)

// A search asks an endpoint for its means. Stopped and resumed it is answered from what
// it kept: the same trajectory, and nothing is asked twice.
func TestProposalsAreKept(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Messages []struct{ Content string } }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || len(body.Messages) != 1 {
			http.Error(w, "no prompt", http.StatusBadRequest)
			return
		}
		answer, tokens, err := evolvetest.Propose(r.Context(), body.Messages[0].Content)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		// Another answer to the same prompt would lead elsewhere.
		answer += fmt.Sprintf(" (%d)", asked.Add(1))
		_ = json.NewEncoder(w).Encode(map[string]any{
			"choices": []any{map[string]any{"message": map[string]any{"role": "assistant", "content": answer}}},
			"usage":   map[string]any{"total_tokens": tokens},
		})
	}))
	defer server.Close()
	dir := workplace(t)
	run := func(args ...string) string {
		c := process(t, dir, append([]string{"search"}, args...)...)
		c.Env = append(c.Env, "OPENAI_BASE_URL="+server.URL+"/v1")
		o := finish(t, c)
		if o.code != 0 {
			t.Fatalf("exit %d: %s", o.code, o.stderr)
		}
		return o.stdout
	}
	llm := []string{"small.yaml", "--backend", "go", "--anyway", "--set", "search.optimizer={name: evollm, population: 4}"}
	run(append(llm, "--out", "whole", "--evaluations", "20")...)
	prompts := asked.Load()
	if prompts == 0 {
		t.Fatal("nothing was asked")
	}
	run(append(llm, "--out", "parts", "--evaluations", "9")...)
	run("--resume", "parts", "--backend", "go", "--anyway", "--evaluations", "20")
	if got := asked.Load() - prompts; got != prompts {
		t.Errorf("%d prompts in two parts, %d in one", got, prompts)
	}
	var kept [2][]byte
	for i, name := range []string{"whole", "parts"} {
		var err error
		if kept[i], err = os.ReadFile(filepath.Join(dir, name, "best.yaml")); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(kept[0], kept[1]) {
		t.Errorf("another recipe was found:\n%s\n%s", kept[0], kept[1])
	}

	// The last generation again, as after a kill before it was stored: the answers are there.
	text, err := os.ReadFile(filepath.Join(dir, "whole", proposalsFile))
	if err != nil {
		t.Fatal(err)
	}
	p := proposals{dir: func() string { return filepath.Join(dir, "cut") }}
	if err := os.Mkdir(p.dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.dir(), proposalsFile), append(text, `{"prompt": "cu`...), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := keepLine(filepath.Join(p.dir(), proposalsFile), proposal{"p", "[3]", 1}); err != nil {
		t.Fatal(err)
	}
	if err := p.read(filepath.Join(p.dir(), proposalsFile)); err != nil || len(p.known) != int(prompts)+1 || p.known["p"].Answer != "[3]" {
		t.Errorf("%d answers are known of %d, %v", len(p.known), prompts+1, err)
	}
}

// Without an endpoint the search says how to name one.
func TestProposalsNeedAnEndpoint(t *testing.T) {
	t.Parallel()
	dir := workplace(t)
	c := process(t, dir, "search", "small.yaml", "--backend", "go", "--anyway", "--set", "search.optimizer=evollm")
	c.Env = append(c.Env, "OPENAI_BASE_URL=")
	if o := finish(t, c); o.code != 2 || !bytes.Contains([]byte(o.stderr), []byte("set OPENAI_BASE_URL, such as http://127.0.0.1:8080/v1")) {
		t.Errorf("exit %d: %s", o.code, o.stderr)
	}
}
