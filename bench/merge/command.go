package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/mergevo/mergevo/bench/measured"
)

// used is what a command took: seconds, and the most anonymous memory seen, in MB
// (0 where the system does not tell).
type used struct{ wall, cpu, anon float64 }

// command runs a program in a folder, with more environment, to its end. What it
// prints is shown only when it fails.
func command(ctx context.Context, dir string, env []string, name string, args ...string) (used, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	// No network and no GPU: the same work wherever it runs.
	cmd.Env = append(os.Environ(), "CUDA_VISIBLE_DEVICES=", "HF_HUB_OFFLINE=1", "MERGEVO_OFFLINE=1")
	cmd.Env = append(cmd.Env, env...)
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return used{}, err
	}
	ended, peak := make(chan struct{}), make(chan float64)
	go func() { peak <- measured.PeakAnonymous(cmd.Process.Pid, ended) }()
	err := cmd.Wait()
	u := used{wall: time.Since(began).Seconds()}
	close(ended)
	u.anon = <-peak
	if err != nil {
		return u, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, text.String())
	}
	u.cpu = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	return u, nil
}
