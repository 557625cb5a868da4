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

// continued makes four shards of model, and an output that can be continued.
var continued = tensors.Options{ShardSize: 40, Identity: "recipe"}

// contents reads a folder and the folders in it.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		out[filepath.ToSlash(name)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// uninterrupted is the output as it ought to be.
func uninterrupted(t testing.TB) map[string]string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	if err := attempt(out, continued); err != nil {
		t.Fatal(err)
	}
	if got := names(t, filepath.Dir(out)); len(got) != 1 {
		t.Fatalf("left behind: %v", got)
	}
	return contents(t, out)
}

// interrupted leaves an output of which all shards are finished but the last.
func interrupted(t testing.TB, out string) {
	t.Helper()
	w, err := tensors.Create(out, model, continued)
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range model[:len(model)-1] {
		if err := w.WriteBytes(info.Name, 0, stored(info)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if shards, bytes := w.Finished(); shards != 3 || bytes <= 0 {
		t.Fatalf("%d shards of %d bytes are finished", shards, bytes)
	}
}

// Wherever a step fails, or the process is killed, doing it again gives the same
// bytes, and files that were finished are not written again.
func TestContinuesAtEveryStep(t *testing.T) {
	want := uninterrupted(t)
	for _, test := range []struct {
		name string
		stop func(t *testing.T, out string, at int) (done bool)
	}{
		{"fails", func(t *testing.T, out string, at int) bool {
			broken := errors.New("broken")
			var mu sync.Mutex
			o := continued
			o.Fault = func(string, string) error {
				mu.Lock()
				defer mu.Unlock()
				if at--; at == -1 {
					return broken
				}
				return nil
			}
			err := attempt(out, o)
			if err != nil && !errors.Is(err, broken) {
				t.Fatal(err)
			}
			return err == nil
		}},
		{"killed", func(t *testing.T, out string, at int) bool {
			text, err := child(t, "die", out, fmt.Sprint(at)).Output()
			if len(text) > 0 {
				t.Fatalf("step %d: %s", at, text)
			}
			return err == nil
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			most := 0
			for at := 0; ; at++ {
				out := filepath.Join(t.TempDir(), "out")
				if test.stop(t, out, at) {
					if at < 50 {
						t.Errorf("only %d steps", at)
					}
					break
				}
				most = max(most, again(t, out, want))
				if t.Failed() {
					t.Fatalf("after step %d", at)
				}
			}
			if most != 4 {
				t.Errorf("at most %d shards were kept", most)
			}
		})
	}
}

// again continues an output, and returns how many shards it kept.
func again(t *testing.T, out string, want map[string]string) (kept int) {
	t.Helper()
	work := filepath.Join(out+".partial", "model")
	before := map[string]os.FileInfo{}
	if entries, err := os.ReadDir(work); err == nil {
		for _, e := range entries {
			before[e.Name()], _ = e.Info()
		}
	}
	w, err := tensors.Create(out, model, continued)
	if errors.Is(err, tensors.ErrExists) {
		// It was stopped after the output had appeared.
		if d := cmp.Diff(want, contents(t, out)); d != "" {
			t.Errorf("appeared, but (-want +got):\n%s", d)
		}
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	kept, bytes := w.Finished()
	if bytes != w.Kept() {
		t.Errorf("kept %d bytes, of which %d are finished", w.Kept(), bytes)
	}
	stays := names(t, work)
	if len(stays) != kept {
		t.Errorf("%d shards are kept, and these stay: %v", kept, stays)
	}
	if err := errors.Join(fill(w), w.Close()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, contents(t, out)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if d := cmp.Diff([]string{"out"}, names(t, filepath.Dir(out))); d != "" {
		t.Errorf("left behind (-want +got):\n%s", d)
	}
	for _, name := range stays {
		after, err := os.Stat(filepath.Join(out, name))
		if err != nil || !os.SameFile(before[name], after) || !before[name].ModTime().Equal(after.ModTime()) {
			t.Errorf("%s was written again", name)
		}
	}
	return kept
}

// A disk that fills up leaves what is finished, and says what is missing.
func TestDiskFull(t *testing.T) {
	want := uninterrupted(t)
	out := filepath.Join(t.TempDir(), "out")
	o := continued
	o.Fault = func(op, path string) error {
		if op == "before write" && strings.Contains(path, "model-00003") {
			return syscall.ENOSPC
		}
		return nil
	}
	err := attempt(out, o)
	if !errors.Is(err, tensors.ErrNoSpace) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	rest := len(want["model-00003-of-00004.safetensors"]) + len(want["model-00004-of-00004.safetensors"])
	for _, say := range []string{fmt.Sprintf("%d bytes (0.0 GB) are still to be written", rest), "GB) free", "repeat the command, which continues"} {
		if !strings.Contains(err.Error(), say) {
			t.Errorf("%v; want %q", err, say)
		}
	}
	w, err := tensors.Create(out, model, continued)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.Left(); got != int64(rest) {
		t.Errorf("room is wanted for %d bytes, want %d", got, rest)
	}
	w.Close()
	if kept := again(t, out, want); kept != 2 {
		t.Errorf("%d shards kept", kept)
	}
}

// After a line of the journal that failed, and may be cut, comes no other, though
// another shard was already on its way.
func TestJournalFails(t *testing.T) {
	want := uninterrupted(t)
	out := filepath.Join(t.TempDir(), "out")
	broken := errors.New("broken")
	second := make(chan struct{})
	var lines int // under the journal's own lock
	o := continued
	o.Fault = func(op, path string) error {
		switch base := filepath.Base(path); {
		case op == "after fsync" && strings.HasPrefix(base, "model-00002"):
			close(second)
		case op == "before write" && base == "journal":
			if lines++; lines == 1 {
				<-second
				return broken
			}
		}
		return nil
	}
	if err := attempt(out, o); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if lines != 1 {
		t.Errorf("%d lines were written", lines)
	}
	if kept := again(t, out, want); kept != 0 {
		t.Errorf("%d shards kept", kept)
	}
}

// Where the file system has no locks, nothing is kept, and nothing stays.
func TestNoLocks(t *testing.T) {
	for _, last := range []string{"config.json", "nothing"} {
		out := filepath.Join(t.TempDir(), "out")
		o := continued
		o.Fault = func(op, path string) error {
			switch {
			case op == "before lock":
				return syscall.ENOLCK
			case filepath.Base(path) == last:
				return syscall.EIO
			}
			return nil
		}
		err, want := attempt(out, o), []string{"out"}
		if last == "config.json" {
			want = []string{}
		}
		if (err == nil) != (len(want) == 1) {
			t.Errorf("fails at %s: %v", last, err)
		}
		if d := cmp.Diff(want, names(t, filepath.Dir(out))); d != "" {
			t.Errorf("fails at %s: left behind (-want +got):\n%s", last, d)
		}
	}
}
