package runs_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/runs"
)

func TestWriteFile(t *testing.T) {
	r := create(t)
	for _, name := range []string{"best.yaml", "pareto/1.yaml", "pareto/1.yaml"} {
		if err := r.WriteFile(name, []byte(name)); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(r.Dir(), name)); string(b) != name || err != nil {
			t.Error(string(b), err)
		}
	}
	for _, name := range []string{"", ".", "..", "../best.yaml", "/tmp/best.yaml", "a/../../b",
		"run.db", "run.db-wal", "lock", "log.jsonl", "a/../run.db", "./lock"} {
		if err := r.WriteFile(name, nil); err == nil {
			t.Errorf("wrote %q", name)
		}
	}
	if err := os.MkdirAll(filepath.Join(r.Dir(), "folder", "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteFile("folder", nil); err == nil {
		t.Error("wrote over a folder")
	}
	if got := names(t, filepath.Join(r.Dir(), "pareto")); got != "1.yaml" {
		t.Error(got)
	}
}

func TestLog(t *testing.T) {
	r := create(t)
	path := filepath.Join(r.Dir(), "log.jsonl")
	events := []any{map[string]any{"event": "started", "text": "<&>\n"}, 2}
	for _, e := range events {
		if err := r.Log(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Log(math.NaN()); err == nil {
		t.Error("JSON has no NaN")
	}
	want := "{\"event\":\"started\",\"text\":\"<&>\\n\"}\n2\n"
	long := strings.Repeat("x", 10_000)
	for _, torn := range []string{"", "{\"ev", long, "3\n" + long} {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(torn); err != nil {
			t.Fatal(err)
		}
		f.Close()
		want += torn[:strings.LastIndexByte(torn, '\n')+1]
		r = reopen(t, r)
		if b, err := os.ReadFile(path); string(b) != want || err != nil {
			t.Errorf("%q, not %q, %v", b, want, err)
		}
	}
	r.Close()
	if err := os.WriteFile(path, []byte(long), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := runs.Open(r.Dir())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if info, err := os.Stat(path); err != nil || info.Size() != 0 {
		t.Error("a line without an end is left", err)
	}
}
