package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// process is mergevo as another process: this test binary under that name.
func process(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &exec.Cmd{Path: self, Args: append([]string{"mergevo"}, args...), Dir: dir, Env: append(os.Environ(), testEnv()...)}
}

// outcome is what a process left when it ended.
type outcome struct {
	stdout, stderr string
	code           int // -1 when it was killed
}

func finish(t *testing.T, c *exec.Cmd) outcome {
	t.Helper()
	return begun(t, c)()
}

// begun starts a process and returns what waits for its end.
func begun(t *testing.T, c *exec.Cmd) func() outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return func() outcome {
		t.Helper()
		var exit *exec.ExitError
		if err := c.Wait(); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return outcome{stdout.String(), stderr.String(), c.ProcessState.ExitCode()}
	}
}

// must runs mergevo to a good end and returns its output.
func must(t *testing.T, dir string, args ...string) string {
	t.Helper()
	o := finish(t, process(t, dir, args...))
	if o.code != 0 {
		t.Fatalf("mergevo %s exits with %d: %s", strings.Join(args, " "), o.code, o.stderr)
	}
	return o.stdout
}

// workplace is a folder with the digits, their models and small.yaml.
func workplace(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	mnist, err := filepath.Abs("../../testdata/mnist")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(mnist, filepath.Join(dir, "mnist")); err != nil {
		t.Fatal(err)
	}
	if err := copyRecipes(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// lastEvent returns the last event of a name, as it was printed.
func lastEvent(t *testing.T, output, name string) []byte {
	t.Helper()
	found := ""
	for line := range strings.Lines(output) {
		if strings.HasPrefix(line, `{"event":"`+name+`"`) {
			found = line
		}
	}
	if found == "" {
		t.Fatalf("no %s in %q", name, output)
	}
	return []byte(found)
}

// result is what must not depend on where a search was interrupted: every
// candidate, and the numbers of the report.
type result struct{ export, scores string }

func resultOf(t *testing.T, dir, run, output string) result {
	t.Helper()
	var report struct {
		Entries []struct{ Parts, Tasks json.RawMessage }
		Found   string
		Gaps    json.RawMessage `json:"gap_to_best_baseline"`
	}
	if err := json.Unmarshal(lastEvent(t, output, "report"), &report); err != nil {
		t.Fatal(err)
	}
	scores, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	return result{must(t, dir, "runs", "export", run), string(scores)}
}

// resumed continues a run to its end, or begins it again where nothing is kept
// yet. It says how many candidates the run had stored.
func resumed(t *testing.T, dir, run string, begin []string) (output string, stored int) {
	t.Helper()
	args := begin
	if _, err := os.Stat(filepath.Join(dir, run, "run.db")); err == nil {
		args = []string{"search", "--resume", run, "--json"}
		stored = strings.Count(must(t, dir, "runs", "export", run), "\n") - 1
	}
	return must(t, dir, args...), stored
}

// stopped is what a process says at the end of a search.
type stopped struct {
	Evaluations, Scored int
	Calls               int `json:"device_calls"`
}

// checkOnce checks that a process scored what was not stored, and nothing twice.
func checkOnce(t *testing.T, output string, stored int) (e stopped) {
	t.Helper()
	if err := json.Unmarshal(lastEvent(t, output, "stopped"), &e); err != nil {
		t.Fatal(err)
	}
	if want := e.Evaluations - stored; e.Scored != want {
		t.Errorf("%d candidates were stored of %d, and %d were scored, not %d", stored, e.Evaluations, e.Scored, want)
	}
	return e
}

// checkScored is checkOnce, and with four candidates a device call there is one call
// for each generation that lacked any.
func checkScored(t *testing.T, output string, stored int) {
	t.Helper()
	e := checkOnce(t, output, stored)
	calls := 0
	if e.Scored > 0 {
		calls = (e.Evaluations+3)/4 - stored/4
	}
	if e.Calls != calls {
		t.Errorf("%d candidates were stored of %d, and there were %d device calls, not %d", stored, e.Evaluations, e.Calls, calls)
	}
}
