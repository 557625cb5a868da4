package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
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
	go func() { peak <- peakAnon(cmd.Process.Pid, ended) }()
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

// peakAnon looks every 10 ms, until the process has ended.
func peakAnon(pid int, ended <-chan struct{}) (peak float64) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return peak
		case <-tick.C:
			data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			if err != nil {
				continue
			}
			if kb, err := field(string(data), "RssAnon:"); err == nil {
				peak = max(peak, kb/1000)
			}
		}
	}
}

// field returns the number after a name at the beginning of a line.
func field(text, name string) (float64, error) {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			if words := strings.Fields(rest); len(words) > 0 {
				return strconv.ParseFloat(words[0], 64)
			}
		}
	}
	return 0, errors.New("no " + name)
}
