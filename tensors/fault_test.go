package tensors_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mergevo/mergevo/tensors"
)

// attempt does all that a merge does to its output, and returns the first error.
func attempt(dir string, o tensors.Options) (err error) {
	w, err := tensors.Create(dir, model, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	for _, info := range model {
		if w.Done(info.Name) {
			continue
		}
		if err := w.WriteBytes(info.Name, 0, stored(info)); err != nil {
			return err
		}
	}
	if o.Single == "" {
		if err := w.AddFile("config.json", []byte("{}")); err != nil {
			return err
		}
	}
	return w.Commit()
}

// Wherever a step fails, nothing stands under the final name, and after Close
// nothing stands at all.
func TestFaultAtEveryStep(t *testing.T) {
	for _, test := range []struct {
		name  string
		o     tensors.Options
		empty bool // the output folder is there, empty
	}{
		{"one file", tensors.Options{}, false},
		{"shards", tensors.Options{ShardSize: 40}, false},
		{"empty folder", tensors.Options{}, true},
		{"single", tensors.Options{Single: "out"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			run := func(fail int) (steps []string, err error) {
				top := t.TempDir()
				parent := filepath.Join(top, "made")
				out := filepath.Join(parent, "out")
				want := []string{}
				if test.empty {
					if err := os.MkdirAll(out, 0o755); err != nil {
						t.Fatal(err)
					}
					want = []string{"made"}
				}
				o, dir := test.o, out
				if o.Single != "" {
					o.Single, dir = out, ""
				}
				var mu sync.Mutex
				o.Fault = func(op, path string) error {
					mu.Lock()
					defer mu.Unlock()
					steps = append(steps, op)
					if op != "after rename" && !strings.HasSuffix(op, "fsync") {
						if _, err := os.Stat(filepath.Join(out, "model.safetensors")); err == nil {
							t.Errorf("%s %s: the output is already there", op, path)
						}
					}
					if len(steps)-1 == fail {
						return fmt.Errorf("fault %d: %w", fail, syscall.ENOSPC)
					}
					return nil
				}
				if err = attempt(dir, o); err == nil {
					return steps, nil
				}
				if d := cmp.Diff(want, names(t, top)); d != "" {
					t.Errorf("step %d, %s: left behind (-want +got):\n%s", fail, steps[fail], d)
				}
				if test.empty {
					if d := cmp.Diff([]string{"out"}, names(t, parent)); d != "" {
						t.Errorf("step %d, %s: left behind (-want +got):\n%s", fail, steps[fail], d)
					}
					if got := names(t, out); len(got) > 0 {
						t.Errorf("step %d, %s: output holds %v", fail, steps[fail], got)
					}
				}
				return steps, err
			}
			steps, err := run(-1)
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			for i, op := range steps {
				seen[op] = true
				if _, err := run(i); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "the disk is full") {
					t.Errorf("step %d, %s: error %v", i, op, err)
				}
			}
			for _, op := range []string{"create", "write", "fsync", "rename"} {
				if !seen["before "+op] || !seen["after "+op] {
					t.Errorf("no %s in %v", op, steps)
				}
			}
		})
	}
}

// After a write that failed there is no commit, whatever is written next.
func TestFailedWriteIsFinal(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	broken := errors.New("broken")
	failing := false
	w, err := tensors.Create(dir, []tensors.Info{{Name: "t", DType: tensors.U8, Shape: []int{2}}}, tensors.Options{
		Fault: func(op, _ string) error {
			if failing && op == "before write" {
				return broken
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.WriteBytes("t", 0, []byte{1}); err != nil {
		t.Fatal(err)
	}
	failing = true
	if err := w.WriteBytes("t", 1, []byte{1}); !errors.Is(err, broken) {
		t.Errorf("write: %v", err)
	}
	failing = false
	for _, err := range []error{w.WriteBytes("t", 0, []byte{1}), w.AddFile("x", nil), w.Commit()} {
		if !errors.Is(err, broken) {
			t.Errorf("after a failure: %v", err)
		}
	}
}
