//go:build unix

package programs

import (
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// group lets a program lead a process group of its own, which ends as a whole: asked
// to first, and then not. done is for when the program has ended: it ends what is left
// of the group.
func group(cmd *exec.Cmd) (done func()) {
	var mu sync.Mutex
	var later *time.Timer
	end := func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		mu.Lock()
		defer mu.Unlock()
		later = time.AfterFunc(grace, end)
		return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
	}
	return func() {
		mu.Lock()
		defer mu.Unlock()
		if later != nil {
			later.Stop()
		}
		end()
	}
}
