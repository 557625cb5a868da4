package tensors_test

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mergevo/mergevo/tensors"
	"github.com/nlpodyssey/safetensors"
)

func TestRoundTrip(t *testing.T) {
	for _, test := range []struct {
		name  string
		o     tensors.Options
		files []string
	}{
		{"one file", tensors.Options{}, []string{"model.safetensors"}},
		{"all fits one shard", tensors.Options{ShardSize: 1 << 20}, []string{"model.safetensors"}},
		{"shards", tensors.Options{ShardSize: 40}, []string{
			"model-00001-of-00004.safetensors", "model-00002-of-00004.safetensors",
			"model-00003-of-00004.safetensors", "model-00004-of-00004.safetensors", "model.safetensors.index.json",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "out")
			test.o.Metadata = map[string]string{"mergevo": "<recipe>"}
			write(t, dir, model, test.o)
			if d := cmp.Diff(test.files, names(t, dir)); d != "" {
				t.Errorf("files (-want +got):\n%s", d)
			}
			c := open(t, dir)
			if d := cmp.Diff(model, c.Tensors()); d != "" {
				t.Errorf("tensors (-want +got):\n%s", d)
			}
			if d := cmp.Diff(map[string]string{"format": "pt", "mergevo": "<recipe>"}, c.Metadata()); d != "" {
				t.Errorf("metadata (-want +got):\n%s", d)
			}
			for _, info := range model {
				b, err := c.Raw(info.Name)
				if err != nil || string(b) != string(stored(info)) {
					t.Errorf("%s: %q, %v", info.Name, b, err)
				}
			}
		})
	}
}

func TestShardIndex(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	layout := []tensors.Info{
		{Name: "z", DType: tensors.U8, Shape: []int{6}},
		{Name: "big", DType: tensors.F32, Shape: []int{100}},
		{Name: "a", DType: tensors.U8, Shape: []int{5}},
		{Name: "b", DType: tensors.F32, Shape: []int{1}},
	}
	write(t, dir, layout, tensors.Options{ShardSize: 10})
	raw, err := os.ReadFile(filepath.Join(dir, "model.safetensors.index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got any
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"metadata": map[string]any{"total_size": 415.0},
		"weight_map": map[string]any{
			"z":   "model-00001-of-00003.safetensors",
			"big": "model-00002-of-00003.safetensors",
			"a":   "model-00003-of-00003.safetensors",
			"b":   "model-00003-of-00003.safetensors",
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("index (-want +got):\n%s", d)
	}
}

// The reference library reads what we write, and finds numbers aligned.
func TestLibraryReadsOurs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	layout := slices.DeleteFunc(slices.Clone(model), func(i tensors.Info) bool {
		return i.DType == tensors.F8E4M3 || i.DType == tensors.F4
	})
	write(t, "", layout, tensors.Options{Single: path})
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	agree(t, open(t, path), raw)
	n, m, err := safetensors.ReadMetadata(raw)
	if err != nil {
		t.Fatal(err)
	}
	for name, info := range m.Tensors() {
		if at := 8 + n + info.DataOffsets[0]; at%info.DType.Size() != 0 {
			t.Errorf("%s of %v is at byte %d", name, info.DType, at)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o600 != 0o600 || info.Mode().Perm()&0o111 != 0 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// Pieces from many goroutines, larger than a buffer, in any order.
func TestWriteAtPieces(t *testing.T) {
	const n, step = 1 << 20, 100_003
	dir := filepath.Join(t.TempDir(), "a", "b", "out")
	var layout []tensors.Info
	dtypes := []tensors.DType{tensors.F64, tensors.F32, tensors.F16, tensors.BF16}
	for _, d := range dtypes {
		layout = append(layout, tensors.Info{Name: d.String(), DType: d, Shape: []int{n}})
	}
	w, err := tensors.Create(dir, layout, tensors.Options{ShardSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	src := make([]float32, n)
	for i := range src {
		src[i] = float32(i % 251)
	}
	var all sync.WaitGroup
	for _, d := range dtypes {
		all.Go(func() {
			for from := n / step * step; from >= 0; from -= step {
				if err := w.WriteAt(src[from:min(from+step, n)], d.String(), from); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	c := open(t, dir)
	got := make([]float32, n)
	for _, d := range dtypes {
		if err := c.ReadAt(got, d.String(), 0); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(src, got) {
			t.Errorf("%v: read back other numbers", d)
		}
	}
}

// Ranges in any order are taken when new, refused when any byte is not, and
// counted exactly: a bitmap says what is right.
func TestWriteBytesOverlaps(t *testing.T) {
	const n = 64
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 0))
		path := filepath.Join(t.TempDir(), "m.safetensors")
		w, err := tensors.Create("", []tensors.Info{{Name: "t", DType: tensors.U8, Shape: []int{n}}}, tensors.Options{Single: path})
		if err != nil {
			t.Fatal(err)
		}
		var want [n]byte
		for left := n; left > 0; {
			lo := rng.IntN(n)
			hi := min(n, lo+1+rng.IntN(8))
			b := []byte(strings.Repeat("x", hi-lo))
			fresh := want == [n]byte{} || strings.Trim(string(want[lo:hi]), "\x00") == ""
			if err := w.WriteBytes("t", int64(lo), b); (err == nil) != fresh {
				t.Fatalf("seed %d: [%d, %d) into %q: %v", seed, lo, hi, want, err)
			}
			if fresh {
				left -= copy(want[lo:], b)
				if err := w.Commit(); (err == nil) != (left == 0) {
					t.Fatalf("seed %d: %d bytes left, Commit: %v", seed, left, err)
				}
			}
		}
		if b, err := open(t, path).Raw("t"); err != nil || string(b) != string(want[:]) {
			t.Errorf("seed %d: %q, %v", seed, b, err)
		}
	}
}

func TestWriterRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	w, err := tensors.Create(dir, []tensors.Info{
		{Name: "t", DType: tensors.F32, Shape: []int{4}},
		{Name: "i", DType: tensors.I32, Shape: []int{1}},
	}, tensors.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"unknown", w.WriteAt(nil, "x", 0), `no such tensor: "x"`},
		{"unknown bytes", w.WriteBytes("x", 0, nil), `no such tensor: "x"`},
		{"integers", w.WriteAt(make([]float32, 1), "i", 0), "I32"},
		{"beyond", w.WriteAt(make([]float32, 2), "t", 3), "out of range"},
		{"before", w.WriteAt(make([]float32, 2), "t", -1), "out of range"},
		{"bytes beyond", w.WriteBytes("t", 15, make([]byte, 2)), "out of range"},
		{"fine", w.WriteAt(make([]float32, 2), "t", 1), ""},
		{"twice", w.WriteAt(make([]float32, 2), "t", 2), "written twice"},
		{"within", w.WriteBytes("t", 5, make([]byte, 1)), "written twice"},
		{"around", w.WriteBytes("t", 0, make([]byte, 16)), "written twice"},
		{"nothing", w.WriteAt(nil, "t", 4), ""},
		{"incomplete", w.Commit(), `2 tensors are not completely written: "i" (0 of 4 bytes), "t" (8 of 16 bytes)`},
		{"path", w.AddFile("a/b", nil), "not a plain file name"},
		{"up", w.AddFile("..", nil), "not a plain file name"},
		{"no name", w.AddFile("", nil), "not a plain file name"},
		{"dot", w.AddFile(".", nil), "not a plain file name"},
		{"weights", w.AddFile("model.safetensors", nil), "already in it"},
		{"index", w.AddFile("model.safetensors.index.json", nil), "already in it"},
		{"config", w.AddFile("config.json", []byte("{}")), ""},
		{"config again", w.AddFile("config.json", nil), "already in it"},
		{"rest", errors.Join(w.WriteBytes("t", 0, make([]byte, 4)), w.WriteBytes("t", 12, make([]byte, 4)), w.WriteBytes("i", 0, make([]byte, 4))), ""},
		{"now", w.Commit(), ""},
		{"again", w.Commit(), "already committed"},
		{"late", w.AddFile("late", nil), "already committed"},
		{"closed", w.Close(), ""},
	} {
		if test.want == "" && test.err != nil || test.want != "" && (test.err == nil || !strings.Contains(test.err.Error(), test.want)) {
			t.Errorf("%s: error %v, want %q", test.name, test.err, test.want)
		}
	}
	if d := cmp.Diff([]string{"config.json", "model.safetensors"}, names(t, dir)); d != "" {
		t.Errorf("files (-want +got):\n%s", d)
	}
}
