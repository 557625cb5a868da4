package tensors_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"

	"github.com/mergevo/mergevo/tensors"
)

// TestMain lets the test binary be another process: TENSORS_TEST_CHILD says what it
// does, its first argument is the output.
func TestMain(m *testing.M) {
	switch os.Getenv("TENSORS_TEST_CHILD") {
	case "hold":
		childHold(os.Args[1])
	case "die":
		childDie(os.Args[1], os.Args[2])
	default:
		os.Exit(m.Run())
	}
}

// childHold begins the output, says so and waits for the end of its input.
func childHold(out string) {
	w, err := tensors.Create(out, model, continued)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("begun")
	_, _ = bufio.NewReader(os.Stdin).ReadString(0)
	w.Close()
}

// childDie writes the output, and kills itself at one step of it.
func childDie(out, at string) {
	n, err := strconv.Atoi(at)
	if err != nil {
		panic(err)
	}
	var mu sync.Mutex
	o := continued
	o.Fault = func(string, string) error {
		mu.Lock() // and keeps it, so that nothing else goes on
		if n--; n < 0 {
			self, _ := os.FindProcess(os.Getpid())
			_ = self.Kill()
			select {}
		}
		mu.Unlock()
		return nil
	}
	if err := attempt(out, o); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// child is a command which runs this test binary.
func child(t testing.TB, what string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), "TENSORS_TEST_CHILD="+what)
	cmd.Stderr = os.Stderr
	return cmd
}
