package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/internal/xla"
	"github.com/mergevo/mergevo/recipes"
)

func TestAvailableMemory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "meminfo")
	if err := os.WriteFile(file, []byte("MemTotal:       2048 kB\nMemAvailable:   1024 kB\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if n, ok := availableMemory(file); !ok || n != 1<<20 {
		t.Errorf("%d, %v", n, ok)
	}
	if _, ok := availableMemory(filepath.Join(t.TempDir(), "none")); ok {
		t.Error("a missing file says nothing")
	}
}

// A search that cannot fit is refused with the number, before it starts.
func TestRefusesWhatCannotFit(t *testing.T) {
	dir := "../../testdata/mnist"
	r, err := recipes.ReadFile(filepath.Join(dir, "search.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	op, err := openModels(t.Context(), r, opening{dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer op.close()
	s := &search{opened: op, recipe: r, model: &models.Model{Widest: 1 << 30}, exams: &exams{}, backend: &xla.Backend{Kind: "go"},
		plans: plans{Report: evaluate.Plan{Slice: 16, Unrolled: true, Rows: 1 << 20}}}
	if err := s.fits(); err == nil || !strings.Contains(err.Error(), "the search needs about") {
		t.Errorf("got %v", err)
	}
	s.plans.Report.Rows, s.model.Widest = 10, 10
	if err := s.fits(); err != nil {
		t.Error(err)
	}
}
