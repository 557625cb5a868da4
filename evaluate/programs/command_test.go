package programs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mergevo/mergevo/evaluate"
)

// TestMain lets the test binary be the programs that tests run.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "be" {
		be(os.Args[2], os.Args[3:])
	}
	os.Exit(m.Run())
}

// self is a command line that runs this test binary as one of the programs of be.
func self(t *testing.T, what string, args ...string) Command {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Command{Argv: append([]string{exe, "be", what}, args...), Dir: t.TempDir(), Timeout: time.Minute}
}

func TestRun(t *testing.T) {
	c := self(t, "echo")
	c.Stdin, c.Env = []byte("lines\nin"), []string{"MARK=set"}
	out, err := c.Run(t.Context())
	if dir, _ := filepath.EvalSymlinks(c.Dir); err != nil || string(out) != "lines\nin set "+dir {
		t.Errorf("%q, %v", out, err)
	}
}

func TestFailures(t *testing.T) {
	failed := func(c Command, want ...string) {
		t.Helper()
		_, err := c.Run(t.Context())
		if !evaluate.IsFailure(err) {
			t.Fatalf("%v is no candidate's failure", err)
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%v\nlacks %s", err, w)
			}
		}
	}
	failed(self(t, "fail"), "exit status 3; it said last:\n  line 16\n", "\n  line 20")
	hangs := self(t, "hang")
	hangs.Timeout = 300 * time.Millisecond
	failed(hangs, "took longer than 300ms and was ended; it said last:\n  waiting")
	deaf := self(t, "deaf")
	deaf.Timeout = 300 * time.Millisecond
	failed(deaf, "took longer than 300ms and was ended")
}

// What cannot be started is nobody's failure but the recipe's.
func TestNotStarted(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "plain"), []byte("no program"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"no-such-program-anywhere": "the program no-such-program-anywhere cannot be started: executable file not found",
		"./none":                   filepath.Join(dir, "none") + " cannot be started",
		"./plain":                  filepath.Join(dir, "plain") + " cannot be started: permission denied",
	} {
		c := Command{Argv: []string{name}, Dir: dir, Timeout: time.Minute}
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		if _, err := c.Run(t.Context()); err == nil || evaluate.IsFailure(err) {
			t.Errorf("running %s: %v", name, err)
		}
	}
}

// A program that is ended takes what it started with it, whether time is up, somebody
// interrupts, or it ends by itself.
func TestGroupEnds(t *testing.T) {
	for _, how := range []string{"time", "interrupt", "itself"} {
		t.Run(how, func(t *testing.T) {
			pid := filepath.Join(t.TempDir(), "pid")
			c := self(t, "parent", pid, how)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			switch how {
			case "time":
				c.Timeout = time.Second
			case "interrupt":
				go func() {
					for ctx.Err() == nil {
						if _, err := os.Stat(pid); err == nil {
							cancel()
						}
						time.Sleep(10 * time.Millisecond)
					}
				}()
			}
			_, err := c.Run(ctx)
			switch {
			case how == "interrupt" && !errors.Is(err, context.Canceled), how == "time" && !evaluate.IsFailure(err), how == "itself" && err != nil:
				t.Error(err)
			}
			text, err := os.ReadFile(pid)
			if err != nil {
				t.Skip("the machine was too slow for the child to start in time")
			}
			child, err := strconv.Atoi(string(text))
			if err != nil {
				t.Fatal(err)
			}
			for range 500 { // init may take a moment to reap it
				if syscall.Kill(child, 0) != nil || zombie(child) {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			t.Errorf("process %d lives on", child)
		})
	}
}

// zombie reports whether a process has ended and nobody has asked how.
func zombie(pid int) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(text), ") Z ")
}

func TestTail(t *testing.T) {
	x := &tail{}
	for i := range 1000 {
		_, _ = x.Write([]byte("line " + strconv.Itoa(i) + "\n"))
	}
	if got := x.String(); got != "; it said last:\n  line 995\n  line 996\n  line 997\n  line 998\n  line 999" {
		t.Errorf("%q", got)
	}
	if got := (&tail{}).String(); got != "" {
		t.Errorf("of nothing: %q", got)
	}
}
