package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// An apply that is interrupted or killed leaves no output, and can be repeated.
func TestApplyInterrupted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		signal syscall.Signal
		code   int
		left   int // folders that are not the output
	}{{syscall.SIGINT, 130, 0}, {syscall.SIGTERM, 130, 0}, {syscall.SIGKILL, -1, 1}} {
		t.Run(c.signal.String(), func(t *testing.T) {
			dir := t.TempDir()
			zeros(t, filepath.Join(dir, "a.safetensors"), 40<<20)
			zeros(t, filepath.Join(dir, "b.safetensors"), 40<<20)
			recipe := "merge_method: linear\nmodels: [{model: a.safetensors}, {model: b.safetensors}]\nparameters: {weight: 1}\n"
			if err := os.WriteFile(filepath.Join(dir, "r.yaml"), []byte(recipe), 0o644); err != nil {
				t.Fatal(err)
			}
			p := process(t, dir, "apply", "r.yaml", "--out", "out", "--backend", "go")
			wait := begun(t, p)
			for end := time.Now().Add(20 * time.Second); outputs(dir) == 0 && time.Now().Before(end); {
				time.Sleep(time.Millisecond)
			}
			if err := p.Process.Signal(c.signal); err != nil {
				t.Fatal(err)
			}
			o := wait()
			if o.code == 0 {
				t.Skip("it was quicker than the signal")
			}
			if o.code != c.code {
				t.Errorf("exit code %d, not %d: %s", o.code, c.code, o.stderr)
			}
			if c.code == 130 && !strings.Contains(o.stderr, "out does not exist; nothing is left of it") {
				t.Errorf("it says %q", o.stderr)
			}
			if _, err := os.Stat(filepath.Join(dir, "out")); err == nil {
				t.Error("there is an output")
			}
			if n := outputs(dir); n > c.left {
				t.Errorf("%d things are left of the output", n)
			}
			must(t, dir, "apply", "r.yaml", "--out", "out", "--backend", "go")
		})
	}
}

// outputs counts what is named after the output.
func outputs(dir string) int {
	found, _ := filepath.Glob(filepath.Join(dir, "out*"))
	return len(found)
}

// zeros writes a checkpoint of n bytes of zeros, which take no room on the disk.
func zeros(t *testing.T, path string, n int64) {
	t.Helper()
	head := fmt.Sprintf(`{"w":{"dtype":"F32","shape":[%d],"data_offsets":[0,%d]}}`, n/4, n)
	b := append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...)
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(len(b))+n); err != nil {
		t.Fatal(err)
	}
}
