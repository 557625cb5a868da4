package runs_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/runs"
)

func TestReadWhileWriting(t *testing.T) {
	for _, mode := range []string{"wal", "delete"} {
		t.Run(mode, func(t *testing.T) {
			runs.SetJournal(t, mode)
			r := create(t)
			look, err := runs.Read(r.Dir())
			if err != nil {
				t.Fatal(err)
			}
			defer look.Close()
			var m memory
			for i := 1; i <= 3; i++ {
				appendOK(t, r, generation(i))
				m.add(generation(i))
				if d := m.diff(t, look); d != "" {
					t.Fatal(d)
				}
			}
			for name, err := range map[string]error{
				"append": look.Append(generation(4)), "note": look.SetNote("a", 1),
				"log": look.Log(1), "file": look.WriteFile("a", nil),
			} {
				if !errors.Is(err, runs.ErrReadOnly) {
					t.Error(name, err)
				}
			}
		})
	}
}

// A finished run is one file, and looking at it adds none.
func TestReadLeavesNothing(t *testing.T) {
	r := create(t)
	appendOK(t, r, generation(1))
	r.Close()
	look, err := runs.Read(r.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(stored(t, look)); n != population {
		t.Error(n)
	}
	look.Close()
	if got := names(t, r.Dir()); got != "lock run.db" {
		t.Error(got)
	}
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

// On a disk which cannot be written: a finished run, one which was killed, with
// and without the index of its write-ahead log, and one which lost that log.
func TestReadOnlyDisk(t *testing.T) {
	root := t.TempDir()
	r := create(t)
	appendOK(t, r, generation(1))
	appendOK(t, r, generation(2))
	for _, name := range []string{"killed", "no-index", "no-log"} { // as it is while open
		if err := os.CopyFS(filepath.Join(root, name), os.DirFS(r.Dir())); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"no-index/run.db-shm", "no-log/run.db-shm", "no-log/run.db-wal"} {
		if err := os.Remove(filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(root, "finished"), os.DirFS(r.Dir())); err != nil {
		t.Fatal(err)
	}

	cmd := child(t, "list", root)
	cmd.Args = append([]string{"unshare", "-m", "sh", "-c",
		`mount --bind -o ro "$1" "$1" && ! touch "$1/x" 2>/dev/null && echo "read-only" && exec "$0" "$1"`, cmd.Path}, cmd.Args[1:]...)
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		t.Skip("no unshare to make a read-only disk with")
	}
	cmd.Path, cmd.Stderr = unshare, nil
	out, err := cmd.CombinedOutput()
	if !strings.Contains(string(out), "read-only\n") {
		t.Skipf("no read-only disk can be made here: %s, %v", out, err)
	}
	if strings.Count(string(out), "\n8  <nil>") != 3 || strings.Count(string(out), "\n0  <nil>") != 1 {
		t.Errorf("%s", out)
	}
}

// A write-ahead log which went missing takes its generations with it, and no
// more.
func TestMissingLog(t *testing.T) {
	r := create(t)
	var m memory
	appendOK(t, r, generation(1))
	m.add(generation(1))
	r = reopen(t, r) // which brings the log home
	appendOK(t, r, generation(2))
	copied := filepath.Join(t.TempDir(), "copied")
	if err := os.CopyFS(copied, os.DirFS(r.Dir())); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"run.db-wal", "run.db-shm"} {
		if err := os.Remove(filepath.Join(copied, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	again, err := runs.Open(copied)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if d := m.diff(t, again); d != "" {
		t.Error(d)
	}
}
