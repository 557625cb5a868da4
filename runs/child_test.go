package runs_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/runs"
)

// TestMain lets the test binary be another process: RUNS_TEST_CHILD says what it
// does, its first argument is the directory.
func TestMain(m *testing.M) {
	switch os.Getenv("RUNS_TEST_CHILD") {
	case "hold":
		childHold(os.Args[1])
	case "write":
		childWrite(os.Args[1])
	case "list":
		childList(os.Args[1])
	default:
		os.Exit(m.Run())
	}
}

// childHold opens the run, says so and waits for the end of its input.
func childHold(dir string) {
	r, err := runs.Open(dir)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("open")
	_, _ = bufio.NewReader(os.Stdin).ReadString(0)
	r.Close()
}

// childWrite makes or continues the run and writes until it is killed, saying
// what is written when it is.
func childWrite(dir string) {
	fail := func(err error) {
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
	}
	r, err := runs.Open(dir)
	if err != nil {
		r, err = runs.Create(dir, runs.Manifest{RecipePath: "child"})
	}
	fail(err)
	told, _, _, err := r.Totals()
	fail(err)
	for i := told + 1; ; i++ {
		fail(r.Append(generation(i)))
		fmt.Println(i)
		fail(r.WriteFile("best.yaml", result(i)))
		fail(r.Log(map[string]any{"event": "generation", "index": i}))
		fail(r.SetNote(runs.Status, fmt.Sprint("after ", i)))
	}
}

// result is a file of some size which says of itself that it is whole.
func result(i int) []byte {
	return fmt.Appendf(nil, "%d\n%s%d\n", i, strings.Repeat("# ballast\n", 2000), i)
}

// childList prints a line for each run it can read, and ends with the number of
// candidates.
func childList(root string) {
	all, err := runs.List(root)
	fmt.Println(len(all), err)
	for _, s := range all {
		fmt.Println(s.Evaluations, s.Status, s.Err)
	}
}

// child is a command which runs this test binary.
func child(t testing.TB, what, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, dir)
	cmd.Env = append(os.Environ(), "RUNS_TEST_CHILD="+what)
	cmd.Stderr = os.Stderr
	return cmd
}
