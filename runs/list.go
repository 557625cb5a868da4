package runs

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Summary is a line about a run.
type Summary struct {
	Dir     string
	Recipe  string // where it came from
	Created time.Time

	// Status is the note of that name, Held whether a process has the run open to
	// continue it: "running" and not held was killed.
	Status string
	Held   bool

	Generations, Evaluations, Failed int

	// Best is the best value; NaN while no candidate succeeded.
	Best float64

	// Err says why the run cannot be read; what could not be is zero.
	Err error
}

// List finds the runs in the folder root, oldest first, and in root itself. Those
// which cannot be read come last, with their Err. A root which does not exist has
// no runs.
func List(root string) ([]Summary, error) {
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("runs: %w", err)
	}
	dirs := []string{root}
	for _, e := range entries {
		dirs = append(dirs, filepath.Join(root, e.Name()))
	}
	var all []Summary
	for _, dir := range dirs {
		if _, err := os.Lstat(filepath.Join(dir, dbName)); err == nil {
			all = append(all, summarize(dir))
		}
	}
	slices.SortStableFunc(all, func(a, b Summary) int {
		switch {
		case a.Err == nil && b.Err != nil:
			return -1
		case a.Err != nil && b.Err == nil:
			return 1
		}
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Dir, b.Dir))
	})
	return all, nil
}

func summarize(dir string) Summary {
	s := Summary{Dir: dir, Best: math.NaN()}
	r, err := Read(dir)
	if err != nil {
		s.Err = err
		return s
	}
	defer r.Close()
	s.Recipe, s.Created, s.Held = r.manifest.RecipePath, r.manifest.Created, held(dir)
	if _, s.Err = r.Note(Status, &s.Status); s.Err != nil {
		return s
	}
	if s.Generations, s.Evaluations, s.Failed, s.Err = r.Totals(); s.Err != nil {
		return s
	}
	best, err := r.Best(1)
	if s.Err = err; len(best) > 0 {
		s.Best = best[0].Value
	}
	return s
}
