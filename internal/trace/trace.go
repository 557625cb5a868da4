// Package trace reads what a transcription of M2N2 did in NumPy (bench/m2n2/trace.py), for
// tests that do the same.
package trace

import (
	"compress/gzip"
	"encoding/json"
	"os"
)

// Trace is a run from pre-trained seeds.
type Trace struct {
	Archive  int
	Alpha    float64
	Examples int
	// Seeds are the marks of the first members, see Step.Right.
	Seeds [][]byte
	Steps []Step
}

// Step is a child: what was drawn for it, and what came of it.
type Step struct {
	U, V  float64 // for its parents
	Split int64
	Ratio float64

	A, B int // its parents' slots
	Slot int // its own; the archive's size if it was not let in
	// Right has a bit an example, the lowest first.
	Right []byte
}

// Read reads testdata/digits/trace.json.gz.
func Read(path string) (t Trace, err error) {
	file, err := os.Open(path)
	if err != nil {
		return t, err
	}
	defer file.Close() //nolint:errcheck // it is read only
	z, err := gzip.NewReader(file)
	if err != nil {
		return t, err
	}
	return t, json.NewDecoder(z).Decode(&t)
}

// Items unpacks marks, one of each example.
func (t Trace) Items(right []byte) []float32 {
	out := make([]float32, t.Examples)
	for j := range out {
		out[j] = float32(right[j/8] >> (j % 8) & 1)
	}
	return out
}
