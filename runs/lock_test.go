package runs_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/runs"
)

func TestLocked(t *testing.T) {
	r := create(t)
	dir := r.Dir()
	appendOK(t, r, generation(1))
	if _, err := runs.Open(dir); !errors.Is(err, runs.ErrLocked) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Error("within the process:", err)
	}
	out, err := child(t, "hold", dir).Output()
	if err == nil || !strings.Contains(string(out), fmt.Sprintf("process %d on ", os.Getpid())) {
		t.Errorf("%s, %v", out, err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}

	// The other way round; and a killed process holds nothing.
	cmd := child(t, "hold", dir)
	in, _ := cmd.StdinPipe()
	defer in.Close()
	pipe, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(pipe).ReadString('\n'); line != "open\n" {
		t.Fatal(line, err)
	}
	_, err = runs.Open(dir)
	if !errors.Is(err, runs.ErrLocked) || !strings.Contains(err.Error(), fmt.Sprint(cmd.Process.Pid)) {
		t.Error(err)
	}
	if all, err := runs.List(filepath.Dir(dir)); err != nil || len(all) != 1 || !all[0].Held {
		t.Error(all, err)
	}
	look, err := runs.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(stored(t, look)); n != population {
		t.Error(n)
	}
	look.Close()
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	r, err = runs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	if all, err := runs.List(filepath.Dir(dir)); err != nil || len(all) != 1 || all[0].Held {
		t.Error(all, err)
	}
}

func TestNotARun(t *testing.T) {
	root := t.TempDir()
	file := filepath.Join(root, "file")
	full := filepath.Join(root, "full")
	folder := filepath.Join(root, "folder")
	for _, dir := range []string{full, folder + "/run.db", filepath.Join(root, "empty")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{file, filepath.Join(full, "notes.txt")} {
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"none": "no such directory", "empty": "a search has not begun", "file": "it is a file",
		"full": "has no run.db", "folder": "run.db is not a file",
	} {
		for _, open := range []func(string) (*runs.Run, error){runs.Open, runs.Read} {
			_, err := open(filepath.Join(root, name))
			if !errors.Is(err, runs.ErrNotRun) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(full, "lock")); err == nil {
		t.Error("Open wrote into a directory which is no run")
	}
	if _, err := runs.Create(full, runs.Manifest{}); !errors.Is(err, runs.ErrNotEmpty) {
		t.Error(err)
	}
	if _, err := runs.Create(file, runs.Manifest{}); err == nil {
		t.Error("made a run in a file")
	}
	r := create(t)
	if _, err := runs.Create(r.Dir(), runs.Manifest{}); !errors.Is(err, runs.ErrNotEmpty) || !strings.Contains(err.Error(), "resume") {
		t.Error(err)
	}
}
