package runs_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mergevo/mergevo/runs"
)

// crash is what the fault hook throws: nothing after it runs, as after kill -9,
// but for deferred calls.
var crash = errors.New("crash")

// crashing calls f, which crashes at the n-th step; false when there are fewer.
func crashing(t *testing.T, n int, f func()) (crashed bool) {
	steps := 0
	runs.SetFault(t, func(op, path string) error {
		if steps++; steps == n {
			panic(crash)
		}
		return nil
	})
	defer func() {
		runs.SetFault(t, nil)
		if p := recover(); p == crash {
			crashed = true
		} else if p != nil {
			panic(p)
		}
	}()
	f()
	return false
}

// A crash before or after any step leaves the old or the new, and can be
// continued from.
func TestCrashAnywhere(t *testing.T) {
	steps := 0
	for n := 1; ; n++ {
		dir := filepath.Join(t.TempDir(), "run")
		var r *runs.Run
		if !crashing(t, n, func() {
			var err error
			if r, err = runs.Create(dir, runs.Manifest{RecipePath: "a"}); err != nil {
				t.Fatal(err)
			}
		}) {
			r.Close()
			break
		}
		steps++
		r, err := runs.Open(dir)
		if errors.Is(err, runs.ErrNotRun) {
			r, err = runs.Create(dir, runs.Manifest{RecipePath: "a"})
		}
		if err != nil {
			t.Fatalf("create, step %d: %v", n, err)
		}
		if d := (&memory{}).diff(t, r); d != "" || r.Manifest().RecipePath != "a" {
			t.Errorf("create, step %d: %s", n, d)
		}
		r.Close()
	}
	if steps != 10 { // create, write, fsync, rename, fsync
		t.Errorf("%d steps in Create", steps)
	}

	r := create(t)
	dir := r.Dir()
	var m memory
	m.add(generation(1))
	appendOK(t, r, generation(1))
	for n := 1; n <= 2; n++ { // before the commit, and after it
		if !crashing(t, n, func() { _ = r.Append(generation(2)) }) {
			t.Fatal("no step", n)
		}
		r.Close()
		var err error
		if r, err = runs.Open(dir); err != nil {
			t.Fatal(err)
		}
		if n == 2 {
			m.add(generation(2))
		}
		if d := m.diff(t, r); d != "" {
			t.Errorf("append, step %d: %s", n, d)
		}
	}
	if crashing(t, 3, func() { appendOK(t, r, generation(3)) }) {
		t.Error("more than a commit in Append")
	}

	for n := 1; ; n++ {
		was, will := result(n), result(n+1)
		if err := r.WriteFile("best.yaml", was); err != nil {
			t.Fatal(err)
		}
		crashed := crashing(t, n, func() { _ = r.WriteFile("best.yaml", will) })
		got, err := os.ReadFile(filepath.Join(dir, "best.yaml"))
		if err != nil || !bytes.Equal(got, was) && !bytes.Equal(got, will) {
			t.Errorf("write, step %d: %d bytes, %v", n, len(got), err)
		}
		if !crashed {
			if n != 11 || !bytes.Equal(got, will) {
				t.Errorf("%d steps in WriteFile", n-1)
			}
			break
		}
	}

	for n, want := range []string{"", "a", "b"} { // n: 0 is not to crash
		var got string
		crashing(t, n, func() { _ = r.SetNote("key", []string{"a", "x", "b"}[n]) })
		if _, err := r.Note("key", &got); err != nil {
			t.Fatal(err)
		}
		if n > 0 && got != want {
			t.Errorf("note, step %d: %q, not %q", n, got, want)
		}
	}
	r.Close()
}

// An error in a step, such as a full disk, leaves the run usable.
func TestFailedStep(t *testing.T) {
	r := create(t)
	fail := errors.New("no space left")
	runs.SetFault(t, func(op, path string) error {
		if strings.HasPrefix(op, "before") {
			return fail
		}
		return nil
	})
	if err := r.Append(generation(1)); !errors.Is(err, fail) {
		t.Error(err)
	}
	if err := r.WriteFile("best.yaml", nil); !errors.Is(err, fail) {
		t.Error(err)
	}
	if _, err := runs.Create(filepath.Join(t.TempDir(), "x"), runs.Manifest{}); !errors.Is(err, fail) {
		t.Error(err)
	}
	runs.SetFault(t, nil)
	if d := (&memory{}).diff(t, r); d != "" {
		t.Error(d)
	}
	appendOK(t, r, generation(1))
}

// kill -9 at any moment: what was said to be written is there, whole.
func TestKilledWriter(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	draw := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	rounds, said := 12, 0
	if testing.Short() {
		rounds = 3
	}
	for range rounds {
		cmd := child(t, "write", dir)
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := time.AfterFunc(time.Duration(draw.IntN(120_000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
		lines := bufio.NewScanner(pipe)
		for lines.Scan() {
			if said, err = strconv.Atoi(lines.Text()); err != nil {
				t.Fatal(lines.Text())
			}
		}
		_ = cmd.Wait()
		kill.Stop()

		look, err := runs.Read(dir) // before Open mends anything
		if errors.Is(err, runs.ErrNotRun) && said == 0 {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		look.Close()
		r, err := runs.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		told, _, _, err := r.Totals()
		if err != nil || told != said && told != said+1 {
			t.Fatalf("%d generations, %d were said to be there: %v", told, said, err)
		}
		said = told
		var m memory
		for i := 1; i <= told; i++ {
			m.add(generation(i))
		}
		if d := m.diff(t, r); d != "" {
			t.Fatal(d)
		}
		// The files may be of an earlier moment, but are whole.
		if b, err := os.ReadFile(filepath.Join(dir, "best.yaml")); !errors.Is(err, fs.ErrNotExist) {
			var i int
			if _, scan := fmt.Sscan(string(b), &i); err != nil || scan != nil || i > told || !bytes.Equal(b, result(i)) {
				t.Fatalf("best.yaml of %d bytes after %d: %v", len(b), told, err)
			}
		}
		log, _ := os.ReadFile(filepath.Join(dir, "log.jsonl"))
		for line := range bytes.Lines(log) {
			var e struct{ Index int }
			if err := json.Unmarshal(line, &e); err != nil || e.Index < 1 || e.Index > told {
				t.Fatalf("log after %d: %q, %v", told, line, err)
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// The way for tests of the command to stop it at a step.
func TestFaultFromEnvironment(t *testing.T) {
	for n := 1; n < 40; n += 3 {
		dir := filepath.Join(t.TempDir(), "run")
		cmd := child(t, "write", dir)
		cmd.Env = append(cmd.Env, "MERGEVO_TEST_FAULT="+strconv.Itoa(n))
		_ = cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != 137 {
			t.Fatalf("step %d: exit code %d", n, code)
		}
		r, err := runs.Open(dir)
		if errors.Is(err, runs.ErrNotRun) && n <= 7 {
			continue
		}
		if err != nil {
			t.Fatalf("step %d: %v", n, err)
		}
		r.Close()
	}
}
