package programs

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// be is what the test binary does in the place of tests.
func be(what string, args []string) {
	switch what {
	case "echo":
		in, _ := io.ReadAll(os.Stdin)
		dir, _ := os.Getwd()
		fmt.Printf("%s %s %s", in, os.Getenv("MARK"), dir)
	case "fail":
		for i := range 20 {
			fmt.Fprintln(os.Stderr, "line", i+1)
		}
		os.Exit(3)
	case "hang":
		fmt.Fprintln(os.Stderr, "waiting")
		time.Sleep(time.Minute)
	case "deaf":
		signal.Ignore(syscall.SIGTERM)
		time.Sleep(time.Minute)
	case "parent":
		exe, _ := os.Executable()
		child := exec.Command(exe, "be", "deaf")
		if err := child.Start(); err != nil {
			os.Exit(1)
		}
		_ = os.WriteFile(args[0]+".tmp", []byte(strconv.Itoa(child.Process.Pid)), 0o644)
		_ = os.Rename(args[0]+".tmp", args[0])
		if args[1] != "itself" {
			time.Sleep(time.Minute)
		}
	case "say":
		fmt.Print(args[0])
	case "score":
		scoreCheckpoint(args[0], args[1])
	case "judge":
		judge()
	}
	os.Exit(0)
}
