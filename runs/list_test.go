package runs_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mergevo/mergevo/runs"
)

func TestList(t *testing.T) {
	root := t.TempDir()
	if all, err := runs.List(filepath.Join(root, "none")); all != nil || err != nil {
		t.Error(all, err)
	}
	for i, name := range []string{"young", "old", "damaged", "fresh"} {
		r, err := runs.Create(filepath.Join(root, name), runs.Manifest{
			RecipePath: name + ".yaml", Created: time.Date(2026, 5, 10-i, 0, 0, 0, 0, time.UTC),
		})
		if err != nil {
			t.Fatal(err)
		}
		if name != "fresh" {
			appendOK(t, r, generation(1))
			if err := r.SetNote(runs.Status, "done: evaluations"); err != nil {
				t.Fatal(err)
			}
		}
		if name == "young" {
			defer r.Close()
		} else {
			r.Close()
		}
	}
	if err := os.Truncate(filepath.Join(root, "damaged", "run.db"), 5000); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "something else"), 0o755); err != nil {
		t.Fatal(err)
	}
	all, err := runs.List(root)
	if err != nil || len(all) != 4 {
		t.Fatal(all, err)
	}
	var dirs []string
	for _, s := range all {
		dirs = append(dirs, filepath.Base(s.Dir))
	}
	if want := []string{"fresh", "old", "young", "damaged"}; !slices.Equal(dirs, want) {
		t.Error(dirs)
	}
	if s := all[0]; s.Status != "" || s.Err != nil || !math.IsNaN(s.Best) || s.Held {
		t.Errorf("%+v", s)
	}
	best := generation(1).Candidates
	if s := all[2]; s.Recipe != "young.yaml" || s.Status != "done: evaluations" || s.Generations != 1 ||
		s.Evaluations != 4 || s.Failed != 0 || s.Best != max(best[0].Value, best[1].Value, best[2].Value, best[3].Value) || !s.Held {
		t.Errorf("%+v", s)
	}
	if s := all[3]; !errors.Is(s.Err, runs.ErrDamaged) {
		t.Errorf("%+v", s)
	}
	one, err := runs.List(all[1].Dir) // the run itself
	if err != nil || len(one) != 1 || one[0].Recipe != "old.yaml" {
		t.Error(one, err)
	}
}

func TestNextDir(t *testing.T) {
	root := filepath.Join(t.TempDir(), "runs")
	dirs := make([]string, 20)
	var all sync.WaitGroup
	for i := range dirs {
		all.Go(func() { dirs[i], _ = runs.NextDir(root, "examples/ties.yaml") })
	}
	all.Wait()
	slices.Sort(dirs)
	if n := len(slices.Compact(slices.Clone(dirs))); n != len(dirs) || filepath.Base(dirs[0]) != "ties-1" {
		t.Error(n, dirs)
	}
	for i, test := range []struct{ recipe, want string }{
		{"", "run-1"}, {"..", "run-1"}, {"/", "run-1"}, {"-.yml", "run-1"},
		{"my recipe (2).yaml", "my-recipe--2-1"}, {"größe", "größe-1"}, {"a.b.yaml", "a.b-1"},
	} {
		dir, err := runs.NextDir(filepath.Join(root, fmt.Sprint(i)), test.recipe)
		if err != nil || filepath.Base(dir) != test.want {
			t.Errorf("%q: %s, not %s, %v", test.recipe, dir, test.want, err)
		}
	}
	r, err := runs.Create(dirs[0], runs.Manifest{})
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	if err := os.WriteFile(filepath.Join(root, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := runs.NextDir(filepath.Join(root, "file"), "a"); err == nil {
		t.Error("a file as root")
	}
}
