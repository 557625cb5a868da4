package family

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/tensors"
)

var tiny = Shape{Hidden: 64, Intermediate: 96, Layers: 2, Vocabulary: 128, Heads: 4, KVHeads: 1}

func TestSizes(t *testing.T) {
	for billions := range shapes {
		s, err := OfSize(billions)
		if err != nil {
			t.Fatal(err)
		}
		if n := float64(s.Parameters()) / 1e9; math.Abs(n/billions-1) > 0.15 {
			t.Errorf("the family of %g billion parameters has %.3f", billions, n)
		}
		if s.Hidden%s.Heads != 0 || s.Heads%s.KVHeads != 0 {
			t.Errorf("%g: heads do not divide the width: %+v", billions, s)
		}
	}
	if _, err := OfSize(3); err == nil || !strings.Contains(err.Error(), "0.5") {
		t.Errorf("size 3: %v", err)
	}
}

func read(t *testing.T, dir string) map[string][]float32 {
	t.Helper()
	c, err := tensors.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	out := map[string][]float32{}
	for _, info := range c.Tensors() {
		v := make([]float32, info.Len())
		if err := c.ReadAt(v, info.Name, 0); err != nil {
			t.Fatal(err)
		}
		out[info.Name] = v
	}
	return out
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	if err := Write(context.Background(), dir, tiny, 30_000); err != nil {
		t.Fatal(err)
	}
	var models []map[string][]float32
	for _, m := range Models {
		models = append(models, read(t, filepath.Join(dir, m)))
		shards, _ := filepath.Glob(filepath.Join(dir, m, "*.safetensors"))
		if len(shards) < 3 {
			t.Errorf("%s: %d shards", m, len(shards))
		}
	}
	var n, moved1, moved2, both, equal int
	var square float64
	for name, b := range models[0] {
		for i, x := range b {
			n++
			square += float64(x) * float64(x)
			d1, d2 := models[1][name][i]-x, models[2][name][i]-x
			if d1 != 0 {
				moved1++
			}
			if d2 != 0 {
				moved2++
			}
			if d1 != 0 && d2 != 0 {
				both++
				if d1 == d2 {
					equal++
				}
			}
		}
	}
	if n != tiny.Parameters() {
		t.Errorf("%d elements, want %d", n, tiny.Parameters())
	}
	near := func(what string, got, want float64) {
		if math.Abs(got/want-1) > 0.05 {
			t.Errorf("%s is %.4f, want about %.4f", what, got, want)
		}
	}
	near("the base's deviation", math.Sqrt(square/float64(n)), 0.02)
	near("ft1's share of changes", float64(moved1)/float64(n), 0.3)
	near("ft2's share of changes", float64(moved2)/float64(n), 0.6)
	// Independent fine-tunes: were their changes nested or equal, sign elections
	// would have nothing to decide.
	near("the share that both change", float64(both)/float64(n), 0.18)
	if float64(equal) > 0.05*float64(both) {
		t.Errorf("%d of %d common changes are equal", equal, both)
	}
}

func TestSameNumbersEverywhere(t *testing.T) {
	got := make([]float32, 3)
	// Made once by this code, and held: a change of the numbers needs another version.
	for k, want := range [][]float32{
		{-0x1.36p-09, -0x1.cp-07, 0x1.2ep-06},
		{-0x1.36p-09, -0x1.cp-07, 0x1.2ep-06},
		{-0x1.db9268p-11, -0x1.d10132p-07, 0x1.2ep-06},
	} {
		fill(got, k, 5<<40|7)
		for i := range got {
			if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
				t.Errorf("model %d: %x, want %x", k, got, want)
				break
			}
		}
	}
}

func TestReused(t *testing.T) {
	for name, make := range map[string]func(string, Shape) error{
		"numbers": func(dir string, s Shape) error { return Write(context.Background(), dir, s, 30_000) },
		"zeros":   func(dir string, s Shape) error { return Sparse(dir, s, 30_000) },
	} {
		dir := t.TempDir()
		if err := make(dir, tiny); err != nil {
			t.Fatal(err)
		}
		before, err := os.Stat(filepath.Join(dir, "ft2", "config.json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := make(dir, tiny); err != nil {
			t.Errorf("%s: the second time: %v", name, err)
		}
		if after, err := os.Stat(filepath.Join(dir, "ft2", "config.json")); err != nil || !after.ModTime().Equal(before.ModTime()) {
			t.Errorf("%s: written again (%v)", name, err)
		}
		other := tiny
		other.Layers++
		if err := make(dir, other); err == nil || !strings.Contains(err.Error(), "remove it") {
			t.Errorf("%s: another family in its place: %v", name, err)
		}
	}
}

func TestSparse(t *testing.T) {
	dir := t.TempDir()
	if err := Sparse(dir, tiny, 30_000); err != nil {
		t.Fatal(err)
	}
	got := read(t, filepath.Join(dir, "ft1"))
	if len(got) != len(tiny.Tensors()) {
		t.Errorf("%d tensors, want %d", len(got), len(tiny.Tensors()))
	}
	for name, v := range got {
		for _, x := range v {
			if x != 0 {
				t.Fatalf("%s holds %g", name, x)
			}
		}
	}
	large, err := OfSize(70)
	if err != nil {
		t.Fatal(err)
	}
	if err := Sparse(filepath.Join(dir, "large"), large, 5e9); err != nil {
		t.Skipf("no files with holes of 5 GB here: %v", err)
	}
	c, err := tensors.Open(filepath.Join(dir, "large", "base"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if n := len(c.Tensors()); n != 80*9+3 {
		t.Errorf("%d tensors of 80 layers, want %d", n, 80*9+3)
	}
}
