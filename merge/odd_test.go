package merge_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/recipes"
)

// Merges that mergekit made (testdata/mergekit/odd.py) of columns, rows, cubes, single
// entries and scalars, of opposite models, and of signed weights under --as-mergekit:
// within 1e-6 on every backend.
func TestMergekitOddShapes(t *testing.T) {
	const dir = "../testdata/mergekit/odd"
	configs, err := filepath.Glob(filepath.Join(dir, "golden", "*", "config.yml"))
	if err != nil || len(configs) < 32 {
		t.Fatalf("%d vectors in %s: %v", len(configs), dir, err)
	}
	for _, b := range xlatest.Backends(t) {
		for _, file := range configs {
			name := filepath.Base(filepath.Dir(file))
			t.Run(b.Kind+"/"+name, func(t *testing.T) {
				r, err := recipes.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				r.AsMergekit = strings.HasSuffix(name, "_signed")
				s, p := bound(t, r, dir)
				want := read(t, open(t, filepath.Join(filepath.Dir(file), "model.safetensors")))
				compare(t, name, streamed(t, b.Backend, s, p), want, largest(t, p))
			})
		}
	}
}
