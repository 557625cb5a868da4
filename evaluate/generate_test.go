package evaluate_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/internal/xla/xlatest"
)

// What decoders write greedily is what transformers generates, token for token, with
// prompts of several lengths in a batch and an end of text.
func TestWritesAsTransformers(t *testing.T) {
	for _, name := range []string{"decoder", "decoder-gpt2"} {
		r := newReader(t, name)
		d := r.load(t, evaluate.Task{Name: "writing", Kind: evaluate.Generate, Data: "writing.jsonl", Prompt: "prompt", Label: "answer", MaxTokens: 40})
		f, err := os.Open(filepath.Join(r.dir, "writing.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		different := map[string]bool{}
		tokens := 0
		for s := bufio.NewScanner(f); s.Scan(); {
			var row struct {
				Answer string
				Tokens int
			}
			if err := json.Unmarshal(s.Bytes(), &row); err != nil {
				t.Fatal(err)
			}
			different[row.Answer] = true
			tokens += row.Tokens
		}
		if len(different) < 10 || tokens < 200 {
			t.Fatalf("%s: %d answers of %d tokens in all say little", name, len(different), tokens)
		}
		for _, b := range xlatest.Backends(t) {
			t.Run(name+"/"+b.Kind, func(t *testing.T) {
				got := r.score(t, b, d)
				for i, x := range got.Items {
					if x != 1 {
						t.Errorf("text %d is not what transformers writes", i)
					}
				}
			})
		}
	}
}
