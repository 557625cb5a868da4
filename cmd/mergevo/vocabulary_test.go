package main

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tokenizers"
)

// Rows that pad are the mean of the tokens' rows: rows without a token that are kept
// do not count.
func TestPaddingIsTheMeanOfTokens(t *testing.T) {
	const name = "model.embed_tokens.weight"
	path := filepath.Join(t.TempDir(), "a.safetensors")
	w, err := tensors.Create("", []tensors.Info{{Name: name, DType: tensors.F32, Shape: []int{3, 2}}}, tensors.Options{Single: path})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.WriteAt([]float32{1, 2, 3, 6, 1000, -1000}, name, 0); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	c, err := tensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	row := func(i int) tokenizers.Row { return tokenizers.Row{Of: []tokenizers.Ref{{Model: 0, Row: i}}} }
	o := &opened{vocabulary: &tokenizers.Union{Vocabulary: 2, Padded: 5, Rows: [][]tokenizers.Row{
		{row(1), row(0), row(2), row(tokenizers.MeanRow), row(tokenizers.MeanRow)},
	}}}
	s, err := o.laidOut(0, []tensors.Source{c})
	if err != nil {
		t.Fatal(err)
	}
	got, want := make([]float32, 10), []float32{3, 6, 1, 2, 1000, -1000, 2, 4, 2, 4}
	if err := s.ReadAt(got, name, 0); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
}
