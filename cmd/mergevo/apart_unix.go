//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// apart puts a process into a group of its own, so that Ctrl-C on a terminal is for the
// search alone, which ends the process.
func apart(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
