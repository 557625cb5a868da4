package view_test

import (
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tensors/view"
)

// counted counts the reads of a Source, and how many numbers they ask for.
type counted struct {
	tensors.Source
	reads, copies atomic.Int64
	fail          error
}

func (c *counted) ReadAt(dst []float32, name string, off int) error {
	c.reads.Add(1)
	if c.fail != nil {
		return c.fail
	}
	return c.Source.ReadAt(dst, name, off)
}

func (c *counted) Stored(name string, off, n int, use func([]byte) error) error {
	c.copies.Add(1)
	return c.Source.Stored(name, off, n, use)
}

func TestRows(t *testing.T) {
	dir := t.TempDir()
	base := write(t, filepath.Join(dir, "a"), values("e", tensors.BF16, []int{3, 2}, 1, 2, 3, 4, 5, 6), values("n", tensors.F32, []int{1}, 9))
	other := write(t, filepath.Join(dir, "b"), values("x", tensors.BF16, []int{4, 2}, 10, 20, 30, 40, 0.01, 60, 256, 257))
	ref := func(s tensors.Source, name string, row int) view.RowRef {
		return view.RowRef{Source: s, Tensor: name, Row: row}
	}
	v, err := view.Rows(base, map[string][]view.Row{"e": {
		{Of: []view.RowRef{ref(base, "e", 2)}},
		{Of: []view.RowRef{ref(other, "x", 1)}},
		{},
		{Of: []view.RowRef{ref(base, "e", 0), ref(other, "x", 1), ref(other, "x", 0)}},
		{Of: []view.RowRef{ref(base, "e", view.MeanRow)}},
		{Of: []view.RowRef{ref(base, "e", view.MeanRow), ref(base, "e", 0)}},
		{Of: []view.RowRef{ref(base, "e", 1), ref(other, "x", 2)}},
		{Of: []view.RowRef{ref(base, "e", 2), ref(other, "x", 1)}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := []float32{5, 6, 30, 40, 0, 0, 41. / 3, 62. / 3, 3, 4, 2, 3, 3.01 / 2, 32, 17.5, 23}
	b := make([]byte, 2*len(want))
	if err := tensors.Encode(b, want, tensors.BF16); err != nil {
		t.Fatal(err)
	}
	if err := tensors.Decode(want, b, tensors.BF16); err != nil {
		t.Fatal(err)
	}
	if got := numbers(t, v, "e"); !near(got, want, 0) {
		t.Errorf("rows are %v, want %v", got, want)
	}
	if info, _ := v.Lookup("e"); info.Shape[0] != 8 {
		t.Errorf("shape %v", info.Shape)
	}
	if info, _ := base.Lookup("e"); info.Shape[0] != 3 {
		t.Error("the tensor underneath changed its shape")
	}
	if got := numbers(t, v, "n"); got[0] != 9 {
		t.Errorf("a tensor that was not replaced reads %v", got)
	}
}

// Neighbours are copied in one go, and a mean is computed once, however many rows
// and readers want it; after a failed read it is tried again.
func TestRowsReadLittle(t *testing.T) {
	const rows = 5000
	src := &counted{Source: write(t, filepath.Join(t.TempDir(), "a"), random("e", tensors.F16, rows, 48))}
	table := make([]view.Row, 2*rows)
	for i := range table {
		row := i
		if i >= rows {
			row = view.MeanRow
		}
		table[i] = view.Row{Of: []view.RowRef{{Source: src, Tensor: "e", Row: row}}}
	}
	v, err := view.Rows(src, map[string][]view.Row{"e": table})
	if err != nil {
		t.Fatal(err)
	}
	if src.reads.Load()+src.copies.Load() != 0 {
		t.Error("numbers were read before any were asked for")
	}
	if err := v.Stored("e", 0, rows*48, func([]byte) error { return nil }); err != nil || src.copies.Load() != 1 {
		t.Errorf("%d copies, %v; want one", src.copies.Load(), err)
	}
	src.fail = errors.New("disk on fire")
	if err := v.ReadAt(make([]float32, 1), "e", rows*48); !errors.Is(err, src.fail) {
		t.Errorf("error %v", err)
	}
	src.fail = nil
	src.reads.Store(0)
	got := numbers(t, v, "e")[rows*48:]
	if n := src.reads.Load(); n > 2+rows*48/(1<<16) {
		t.Errorf("%d reads for the copies and the mean", n)
	}
	all := numbers(t, src.Source, "e")
	want := make([]float32, 48)
	for j := range want {
		sum := 0.0
		for i := range rows {
			sum += float64(all[i*48+j])
		}
		want[j] = float32(sum / rows)
	}
	if !near(got[:48], want, 0x1p-11) || !near(got[:48], got[len(got)-48:], 0) {
		t.Errorf("the mean is %v, want %v", got[:48], want)
	}
}

// noPointer is a Source that cannot be compared.
type noPointer struct {
	tensors.Source
	_ []int
}

func TestRowsRefuse(t *testing.T) {
	dir := t.TempDir()
	base := write(t, filepath.Join(dir, "a"), random("e", tensors.BF16, 3, 2), random("s", tensors.F32), values("i", tensors.I32, []int{2}, 1, 2), random("none", tensors.BF16, 0, 2))
	other := write(t, filepath.Join(dir, "b"), random("wide", tensors.BF16, 3, 4), random("f", tensors.F32, 3, 2), random("s", tensors.BF16))
	one := func(s tensors.Source, name string, row int) []view.Row {
		return []view.Row{{}, {Of: []view.RowRef{{Source: s, Tensor: name, Row: row}}}}
	}
	for _, test := range []struct {
		tensor string
		rows   []view.Row
		want   []string
	}{
		{"none at all", nil, []string{base.Path(), `"none at all"`, "no such tensor"}},
		{"s", one(base, "s", 0), []string{base.Path(), `"s" is a scalar`}},
		{"e", one(base, "x", 0), []string{`row 1 of tensor "e"`, base.Path(), `"x"`}},
		{"e", one(base, "e", 3), []string{"has 3 rows, not a row 3"}},
		{"e", one(base, "e", -2), []string{"not a row -2"}},
		{"e", one(other, "wide", 0), []string{base.Path(), `"e"`, "BF16 [3 2]", other.Path(), `"wide"`, "BF16 [3 4]"}},
		{"e", one(other, "f", 0), []string{"BF16 [3 2]", "F32 [3 2]"}},
		{"e", one(other, "s", 0), []string{"BF16 [3 2]", "BF16 []"}},
		{"e", one(base, "none", view.MeanRow), []string{"no rows to average"}},
		{"e", one(nil, "e", 0), []string{"Source is nil"}},
		{"e", one(noPointer{Source: base}, "e", 0), []string{"cannot be compared"}},
		{"i", one(base, "i", view.MeanRow), []string{"I32 has no mean"}},
		{"i", []view.Row{{Of: []view.RowRef{{Source: base, Tensor: "i"}, {Source: base, Tensor: "i"}}}}, []string{"row 0", "I32 has no mean"}},
	} {
		_, err := view.Rows(base, map[string][]view.Row{test.tensor: test.rows})
		mention(t, err, test.want...)
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%q takes more than a line", err)
		}
	}
}

// A vocabulary of 150,000 tokens, half of them from another model in its order.
func BenchmarkRows(b *testing.B) {
	const vocabulary, width = 150_000, 64
	dir := b.TempDir()
	base := write(b, filepath.Join(dir, "a"), random("e", tensors.BF16, vocabulary, width))
	other := write(b, filepath.Join(dir, "b"), random("e", tensors.BF16, vocabulary, width))
	rows := make([]view.Row, vocabulary)
	for i := range rows {
		s := tensors.Source(base)
		if i%1000 >= 500 {
			s = other
		}
		rows[i] = view.Row{Of: []view.RowRef{{Source: s, Tensor: "e", Row: i}}}
	}
	b.Run("make", func(b *testing.B) {
		for b.Loop() {
			if _, err := view.Rows(base, map[string][]view.Row{"e": rows}); err != nil {
				b.Fatal(err)
			}
		}
	})
	v, err := view.Rows(base, map[string][]view.Row{"e": rows})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("read", func(b *testing.B) {
		b.SetBytes(vocabulary * width * 2)
		for b.Loop() {
			for off := 0; off < vocabulary*width; off += 1 << 19 {
				if err := v.Stored("e", off, min(1<<19, vocabulary*width-off), func([]byte) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
