package main

import (
	"maps"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tokenizers"
)

// mergekit 0.1.5 gives the tokens that a union appends ids that change from run to run,
// so rows are compared by the text of their tokens.
func TestTokenizerUnionVector(t *testing.T) {
	vectors, err := filepath.Abs("../../testdata/mergekit")
	if err != nil {
		t.Fatal(err)
	}
	vector, out := filepath.Join(vectors, "golden", "tokenizer_union"), filepath.Join(t.TempDir(), "out")
	must(t, vectors, "apply", filepath.Join(vector, "config.yml"), "--out", out, "--backend", "go")
	id := func(dir string) map[string]int {
		tok, err := tokenizers.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		return tok.Tokens()
	}
	ours, theirs := id(out), id(vector)
	if !slices.Equal(slices.Sorted(maps.Keys(ours)), slices.Sorted(maps.Keys(theirs))) {
		t.Fatalf("tokens %v, want those of %v", ours, theirs)
	}
	c, err := tensors.Open(vector)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	rows := 0
	for _, info := range c.Tensors() {
		got, want := tensorOf(t, out, info.Name), tensorOf(t, vector, info.Name)
		if len(got) != len(want) {
			t.Fatalf("%s has %d entries, want %d", info.Name, len(got), len(want))
		}
		near := func(at string, a, b []float32) {
			for i := range b {
				if math.Abs(float64(a[i]-b[i])) > 1e-6 {
					t.Errorf("%s of %s, entry %d: %g, want %g", at, info.Name, i, a[i], b[i])
				}
			}
		}
		if !named(info, embeddingNames) && !named(info, headNames) {
			near("all", got, want)
			continue
		}
		width := info.Shape[1]
		for token := range theirs {
			a, b := ours[token]*width, theirs[token]*width
			near(token, got[a:a+width], want[b:b+width])
			rows++
		}
	}
	if rows == 0 {
		t.Error("no row was compared")
	}
}
