package main

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

func TestFreeMemory(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	meminfo := write("meminfo", "MemTotal:       2048 kB\nMemAvailable:   1024 kB\n")
	none := filepath.Join(dir, "none")
	if n, ok := availableMemory(meminfo); !ok || n != 1<<20 {
		t.Errorf("%d, %v", n, ok)
	}
	if _, ok := availableMemory(none); ok {
		t.Error("a missing file says nothing")
	}
	if n := freeMemory(meminfo, none, none); n != 1<<20 {
		t.Errorf("%d bytes of the system", n)
	}
	write("memory.max", "900000\n")
	write("memory.current", "500000\n")
	write("memory.stat", "anon 1\ninactive_file 200000\nactive_file 100000\n")
	if n := freeMemory(meminfo, none, dir); n != 700000 {
		t.Errorf("%d bytes in a control group", n)
	}
	write("memory.max", "max\n")
	if n := freeMemory(meminfo, none, dir); n != 1<<20 {
		t.Errorf("%d bytes in a group without a limit", n)
	}
	if n := freeMemory(none, none, none); n != math.MaxInt64 {
		t.Errorf("%d bytes where nobody says", n)
	}
}

func TestMemoryFlags(t *testing.T) {
	for place, ok := range map[string]bool{"": true, "auto": true, "host": true, "hots": false} {
		if _, err := (memoryFlags{place: place}).forced(); (err == nil) != ok {
			t.Errorf("%q: %v", place, err)
		}
	}
	r, err := memoryFlags{limit: "80GB"}.room("xla:cuda")
	if err != nil || r.device != 80e9 || !r.apart {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := (memoryFlags{limit: "much"}).room("go"); err == nil {
		t.Error("a size of no bytes is taken")
	}
}
