package tensors_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mergevo/mergevo/tensors"
)

// A digest is taken from the cache while the file is untouched, and anew when any
// of size, time, inode or path differ.
func TestDigestCache(t *testing.T) {
	dir, ctx := t.TempDir(), context.Background()
	cache := tensors.DigestCache{Dir: filepath.Join(dir, "cache")}
	file := filepath.Join(dir, "a.safetensors")
	save := func(path string, v float32, at time.Time) {
		t.Helper()
		_ = os.Remove(path)
		w, err := tensors.Create("", []tensors.Info{{Name: "x", DType: tensors.F32, Shape: []int{1}}}, tensors.Options{Single: path})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.WriteAt([]float32{v}, "x", 0); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	digest := func(path string) string {
		t.Helper()
		c, err := tensors.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		d, err := cache.Digest(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	entries := func() []string {
		t.Helper()
		e, _ := filepath.Glob(filepath.Join(cache.Dir, "*"))
		return e
	}
	old := time.Now().Add(-time.Hour)
	save(file, 1, old)
	first := digest(file)
	if n := len(entries()); n != 1 {
		t.Fatalf("%d entries", n)
	}
	// What the entry says is what is answered: nothing is hashed.
	forged := []byte{}
	data, err := os.ReadFile(entries()[0])
	if err != nil {
		t.Fatal(err)
	}
	forged = append(forged, data...)
	forged = []byte(string(forged[:len(forged)-3]) + `0"}`)
	if err := os.WriteFile(entries()[0], forged, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := digest(file); got == first || got[:20] != first[:20] {
		t.Errorf("%s was computed, not read", got)
	}
	// Another content under the same path, even with the old time and size.
	save(file, 2, old.Add(time.Second))
	second := digest(file)
	if second == first {
		t.Error("a changed file has the old digest")
	}
	save(file, 1, time.Now())
	if got := digest(file); got != first {
		t.Errorf("%s, not %s", got, first)
	}
	save(file, 2, time.Now())
	if got := digest(file); got != second {
		t.Error("a file changed a moment ago has a cached digest")
	}
	// A broken cache is no cache.
	for _, e := range entries() {
		if err := os.WriteFile(e, []byte("{"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := digest(file); got != second {
		t.Error("a broken entry was believed")
	}
	cache.Dir = filepath.Join(file, "not a folder")
	if got := digest(file); got != second {
		t.Error("no cache, no digest")
	}
}
