package main

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mergevo/mergevo/evaluate"
)

// peerName is the test binary as a process of a crew that scores numbers.
const peerName = "crew-peer"

// What a genome asks of such a process: anything else is scored as itself.
const (
	always = -1 // dies on it
	once   = -2 // dies on it the first time
)

// peer is the process: it is given the device, and a folder where it notes what it was.
func peer() {
	device, dir := os.Args[1], os.Args[2]
	in, out := gob.NewDecoder(os.Stdin), gob.NewEncoder(os.Stdout)
	var to setup
	if err := in.Decode(&to); err != nil {
		os.Exit(4)
	}
	if device == "broken" {
		_ = out.Encode(ready{Failed: "no such device"})
		os.Exit(4)
	}
	_ = out.Encode(ready{Layouts: [2][]evaluate.ItemRange{{{Task: "search", Count: 1}}, {{Task: "report", Count: 1}}}})
	for {
		var a assignment
		if err := in.Decode(&a); err != nil {
			if errors.Is(err, io.EOF) {
				os.Exit(0)
			}
			os.Exit(4)
		}
		r := reply{Calls: 1}
		for _, c := range a.Candidates {
			switch x := c.Genome[0]; x {
			case always:
				os.Exit(3)
			case once:
				if os.Mkdir(filepath.Join(dir, "died"), 0o755) == nil {
					os.Exit(3)
				}
			}
			if device == "slow" {
				time.Sleep(20 * time.Millisecond)
			}
			r.Results = append(r.Results, wireResult{Result: evaluate.Result{Tie: c.Genome[0], Items: []float32{1}}})
		}
		if a.Report {
			r.Failed = "nothing to report"
		}
		_ = out.Encode(r)
	}
}

func newPeers(t *testing.T, slice int, devices ...string) (*crew, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	command := func(device string) *exec.Cmd {
		return &exec.Cmd{Path: self, Args: []string{peerName, device, dir}, Env: os.Environ()}
	}
	p := evaluate.Plan{Slice: slice}
	c, err := newCrew(t.Context(), devices, command, setup{Plans: plans{p, p}})
	if err == nil {
		t.Cleanup(c.close)
	}
	return c, err
}

func numbers(list ...float64) (out []evaluate.Model) {
	for _, x := range list {
		out = append(out, evaluate.Model{Genome: []float64{x}})
	}
	return out
}

// Results come in the order of the candidates, whoever scores them.
func TestCrewScores(t *testing.T) {
	c, err := newPeers(t, 2, "slow", "1", "2")
	if err != nil {
		t.Fatal(err)
	}
	s := &side{crew: c}
	if s.Layout()[0].Task != "search" {
		t.Errorf("a layout of %v", s.Layout())
	}
	var work sync.WaitGroup
	for k := range 4 {
		work.Go(func() {
			var all []float64
			for i := range 15 {
				all = append(all, float64(100*k+i))
			}
			got, err := s.Evaluate(t.Context(), numbers(all...))
			if err != nil || len(got) != len(all) {
				t.Errorf("%d results, %v", len(got), err)
				return
			}
			for i, r := range got {
				if r.Tie != all[i] || r.Err != nil {
					t.Errorf("candidate %g: %+v", all[i], r)
				}
			}
		})
	}
	work.Wait()
	if s.Calls() != 4*8 {
		t.Errorf("%d calls of two candidates each made 4 times 15", s.Calls())
	}
	if _, err := (&side{crew: c, at: 1}).Evaluate(t.Context(), numbers(1)); err == nil || err.Error() != "nothing to report" {
		t.Errorf("what nobody can score: %v", err)
	}
}

// A process that dies is started again. Another scores what it died on; who kills two
// has failed, and the others have not.
func TestCrewSurvives(t *testing.T) {
	for _, devices := range [][]string{{"0"}, {"0", "1", "2"}} {
		c, err := newPeers(t, 1, devices...)
		if err != nil {
			t.Fatal(err)
		}
		got, err := (&side{crew: c}).Evaluate(t.Context(), numbers(1, once, 2, always, 3, always, always, always, 4))
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []float64{1, once, 2, always, 3, always, always, always, 4} {
			switch r := got[i]; {
			case want == always:
				if r.Err == nil || strings.Count(r.Err.Error(), "exit status 3") != 2 {
					t.Errorf("%d processes: who kills two: %v", len(devices), r.Err)
				}
			case r.Err != nil || r.Tie != want:
				t.Errorf("%d processes: candidate %g: %+v", len(devices), want, r)
			}
		}
	}
}

// Without a process there is no crew, and an interruption waits for none.
func TestCrewFails(t *testing.T) {
	if _, err := newPeers(t, 1, "0", "broken"); err == nil || !strings.Contains(err.Error(), "device broken: no such device") {
		t.Errorf("got %v", err)
	}
	c, err := newPeers(t, 1, "slow")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (&side{crew: c}).Evaluate(ctx, numbers(1, 2, 3)); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	c.close()
	if _, err := (&side{crew: c}).Evaluate(t.Context(), numbers(1)); err == nil {
		t.Error("a crew that is closed scores")
	}
}

// started are the processes that score for a search.
func started(t *testing.T, parent int) (pids []int) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(files) == 0 {
		t.Skip("no /proc here")
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		var pid, ppid int
		var state string
		_, rest, _ := strings.Cut(string(text), ") ")
		if _, err := fmt.Sscan(rest, &state, &ppid); err != nil || ppid != parent || state == "Z" {
			continue
		}
		if _, err := fmt.Sscan(string(text), &pid); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// gone waits until processes have ended.
func gone(pids []int) bool {
	for range 500 {
		left := 0
		for _, p := range pids {
			if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p)); err == nil && !strings.Contains(string(text), ") Z ") {
				left++
			}
		}
		if left == 0 {
			return true
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}

// A search outlives a process that is killed, and its processes do not outlive it.
func TestDevicesDie(t *testing.T) {
	dir := workplace(t)
	begin := func(out string) *exec.Cmd {
		return process(t, dir, "search", "small.yaml", "--backend", "go", "--evaluations", "1201", "--out", out, "--devices", "0,1", "--json")
	}
	processes := func(c *exec.Cmd) []int {
		for range 500 {
			if pids := started(t, c.Process.Pid); len(pids) == 2 {
				// All are ready, and at work.
				if log, err := os.ReadFile(filepath.Join(dir, c.Args[len(c.Args)-4], "log.jsonl")); err == nil && strings.Contains(string(log), `"event":"generation"`) {
					return pids
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatal("two processes never were there")
		return nil
	}
	c := begin("killed")
	wait := begun(t, c)
	pids := processes(c)
	if p, err := os.FindProcess(pids[0]); err != nil || p.Kill() != nil {
		t.Fatal("it cannot be killed")
	}
	if o := wait(); o.code != 0 {
		t.Fatalf("the search ends with %d: %s", o.code, o.stderr)
	} else if !strings.Contains(o.stdout, `"failed":0,`) {
		t.Errorf("candidates failed: %s", lastEvent(t, o.stdout, "stopped"))
	}
	if !gone(pids) {
		t.Error("processes outlive a search that is done")
	}
	c = begin("alone")
	wait = begun(t, c)
	pids = processes(c)
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	wait()
	if !gone(pids) {
		t.Error("processes outlive a search that is killed")
	}
}
