package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/mergevo/mergevo/recipes"
)

// visible names the GPUs that a process sees, for CUDA.
const visible = "CUDA_VISIBLE_DEVICES"

// parseDevices reads --devices: all, or names of devices, which are GPUs' numbers; on a
// CPU each is a process.
func parseDevices(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	list := strings.Split(text, ",")
	if text == "all" {
		if list = gpus(); len(list) == 0 {
			return nil, usage(errors.New("--devices all: no NVIDIA GPU is seen here\nhint: on a CPU say how many processes: --devices 0,1"))
		}
	}
	for i, d := range list {
		list[i] = strings.TrimSpace(d)
		if list[i] == "" || slices.Contains(list[:i], list[i]) {
			return nil, usage(fmt.Errorf("--devices %s: want all, or the numbers of different devices, such as 0,1", text))
		}
	}
	return list, nil
}

// spread gives a search the devices that the command line names.
func (s *search) spread(o searchOptions) (err error) {
	if s.devices, err = parseDevices(o.devices); err != nil || len(s.devices) == 0 {
		return err
	}
	switch {
	case o.probe:
		return usage(errors.New("--probe times one device: leave --devices out"))
	case o.polish > 0:
		return usage(errors.New("--polish takes gradients on one device: leave --devices out, and refine best.yaml with mergevo refine"))
	case s.exams.panel.runs():
		return usage(errors.New("--devices: programs score one candidate after the other: leave it out"))
	}
	return nil
}

// gpus are the GPUs that this process may use.
func gpus() (out []string) {
	if of := os.Getenv(visible); of != "" {
		return strings.Split(of, ",")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	text, err := exec.CommandContext(ctx, "nvidia-smi", "--query-gpu=index", "--format=csv,noheader").Output()
	if err != nil {
		return nil
	}
	return strings.Fields(string(text))
}

// share makes the settings of a new search those of several devices, where the recipe
// leaves them open: the children of a niche merge are scored side by side.
func (o searchOptions) share(r *recipes.Recipe) error {
	if o.devices == "" || r.Search == nil || !slices.Contains(r.MethodNames(), "niche") {
		return nil
	}
	devices, err := parseDevices(o.devices)
	if err != nil {
		return err
	}
	if r.Search.Optimizer.Population == 0 {
		if err := r.Set("search.optimizer.population", fmt.Sprint(2*len(devices))); err != nil {
			return usage(fmt.Errorf("--devices: %w", err))
		}
	}
	if r.Search.Optimizer.Options["steady"] == "" {
		if err := r.Set("search.optimizer.steady", "on"); err != nil {
			return usage(fmt.Errorf("--devices: %w", err))
		}
	}
	return nil
}

// slice is how many candidates a device scores at once: a steady search has one for
// each, others share a generation out.
func (s *search) slice() int {
	if s.niched != nil && s.niched.options.Steady {
		return 1
	}
	n := max(1, len(s.devices))
	return (s.settings.Population + n - 1) / n
}

// muster starts a process for each device.
func (s *search) muster(ctx context.Context, talk io.Writer) (*crew, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	backend := s.backend.Kind
	if s.backend.Plugin != "" {
		backend = "xla:" + s.backend.Plugin
	}
	moved := map[string]string{}
	for _, m := range s.opened.models {
		moved[m.ref] = m.place()
	}
	command := func(device string) *exec.Cmd {
		c := exec.Command(self, workerCommand, s.dir, "--backend", backend, "--offline")
		c.Args[0] = os.Args[0]
		c.Stderr, c.Env = talk, os.Environ()
		if s.backend.Kind == "xla:cuda" {
			c.Env = append(c.Env, visible+"="+device)
		}
		apart(c)
		return c
	}
	return newCrew(ctx, s.devices, command, setup{Plans: s.plans, Place: s.settled.place, Moved: moved, Threads: runtime.GOMAXPROCS(0)})
}
