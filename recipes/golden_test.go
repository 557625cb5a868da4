package recipes_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mergevo/mergevo/recipes"
)

var update = flag.Bool("update", false, "write the golden files")

// Each good recipe has its canonical form beside it.
func TestGood(t *testing.T) {
	for _, path := range glob(t, "testdata/good/*.yml", "testdata/mergekit/*.yml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			r, err := recipes.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, path, ".canonical", string(r.Marshal())+notes(r))
			identity(t, r)
		})
	}
}

func notes(r *recipes.Recipe) string {
	var b strings.Builder
	for _, n := range r.Notes() {
		b.WriteString("# note: " + strings.TrimPrefix(filepath.ToSlash(n), "testdata/") + "\n")
	}
	return b.String()
}

// Each bad recipe has its message beside it; those that parse fail on the tensors
// of a llama with twelve layers.
func TestBad(t *testing.T) {
	llama := checkpoints()["llama"]
	for _, path := range glob(t, "testdata/bad/*.yml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			r, err := recipes.Parse(filepath.Base(path), data)
			if err == nil {
				_, err = r.Bind(llama)
			}
			if err == nil {
				t.Fatal("no error")
			}
			var e *recipes.Error
			if !errors.As(err, &e) || e.Line < 1 || e.Col < 1 {
				t.Errorf("no place in %v", err)
			}
			golden(t, path, ".message", err.Error()+"\n")
		})
	}
}

func glob(t *testing.T, patterns ...string) []string {
	t.Helper()
	var all []string
	for _, p := range patterns {
		paths, err := filepath.Glob(p)
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: no files (%v)", p, err)
		}
		all = append(all, paths...)
	}
	return all
}

func golden(t *testing.T, path, ext, got string) {
	t.Helper()
	file := strings.TrimSuffix(path, ".yml") + ext
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
