package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// Small networks go all the way: trained, aligned by the package and by the command,
// which agree, and computing what they did.
func TestSmallPairs(t *testing.T) {
	var out, talk bytes.Buffer
	args := []string{"--pairs", "2", "--width", "12", "--hidden", "2", "--epochs", "2", "--batch", "50", "--rate", "0.003",
		"--train", "../../testdata/mnist/val.safetensors", "--test", "../../testdata/mnist/test.safetensors", "--work", t.TempDir(), "--backend", "go", "--json"}
	if err := run(t.Context(), args, &out, &talk); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(talk.String(), "seed 4, epoch 2 of 2") {
		t.Error(talk.String())
	}
	pairs := 0
	for d := json.NewDecoder(&out); d.More(); pairs++ {
		var l line
		if err := d.Decode(&l); err != nil {
			t.Fatal(err)
		}
		switch {
		case l.Accuracy[0] < 40 || l.Accuracy[1] < 40:
			t.Errorf("pair %d has learned nothing: %v", l.Pair, l.Accuracy)
		case l.Units != 24 || l.Moved == 0 || l.Same != nil:
			t.Errorf("pair %d: %d of %d units moved", l.Pair, l.Moved, l.Units)
		case l.Outputs > 1e-5:
			t.Errorf("pair %d: outputs differ by %g", l.Pair, l.Outputs)
		case l.Distance[1] >= l.Distance[0] || l.Vectors[1] <= l.Vectors[0]:
			t.Errorf("pair %d: distance %v, vectors %v", l.Pair, l.Distance, l.Vectors)
		case l.Ours.Loss[0] <= 0 || l.Ours.Middle[0] > l.Ours.Loss[0]:
			t.Errorf("pair %d: barriers %+v", l.Pair, l.Ours)
		}
	}
	if pairs != 2 {
		t.Errorf("%d pairs", pairs)
	}
}

func TestFlags(t *testing.T) {
	for _, args := range [][]string{{"--pairs", "0"}, {"x"}, {"--width", "-1"}, {"--what"}, {"--train", "none.safetensors", "--work", t.TempDir()}} {
		if err := run(t.Context(), args, &bytes.Buffer{}, &bytes.Buffer{}); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}
