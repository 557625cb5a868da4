package main

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/mergevo/mergevo/evolve"
)

//go:embed pycma.py
var pycmaScript string

// pycmaJob is what pycma.py is told.
type pycmaJob struct {
	X0, Lo, Hi  []float64
	Sigma       float64
	Target      float64
	Evaluations int
	Seed        uint64
	Population  int
	Diagonal    int // 0: full, 1: diagonal decoding, 2: separable
	Restarts    string
}

// runPycma runs pycma on the same functions, which it calls over a pipe.
func (t task) runPycma(ctx context.Context) ([]outcome, error) {
	var list []outcome
	for seed := range uint64(t.seeds) {
		o, err := t.pycmaOnce(ctx, seed+1)
		if err != nil {
			return nil, fmt.Errorf("pycma: %w", err)
		}
		list = append(list, o)
	}
	return list, nil
}

func (t task) pycmaOnce(ctx context.Context, seed uint64) (outcome, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	job := pycmaJob{X0: t.start(seed), Sigma: t.sigma, Target: t.target, Evaluations: t.evaluations, Seed: seed,
		Population: t.settings.Population, Restarts: t.settings.Options["restarts"]}
	for range t.dim {
		job.Lo, job.Hi = append(job.Lo, t.lo), append(job.Hi, t.hi)
	}
	switch t.optimizer {
	case evolve.DefaultOptimizer:
		job.Diagonal = 1
	case "sep-cmaes":
		job.Diagonal = 2
	}
	text, err := json.Marshal(job)
	if err != nil {
		return outcome{}, err
	}
	c := exec.CommandContext(ctx, t.pycma, "-c", pycmaScript, string(text))
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		return outcome{}, err
	}
	pipe, err := c.StdoutPipe()
	if err != nil {
		return outcome{}, err
	}
	if err := c.Start(); err != nil {
		return outcome{}, err
	}
	f, o := t.function.of(t.dim), outcome{Seed: seed}
	x, first := make([]float64, t.dim), true
	for read := bufio.NewReader(pipe); ; {
		if err := binary.Read(read, binary.LittleEndian, x); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return o, err
		}
		y := f(x)
		if first {
			o.Best, first = y, false
		}
		if !o.Reached && o.Evaluations < t.evaluations {
			o.see(y, t.target)
		}
		if err := binary.Write(in, binary.LittleEndian, y); err != nil {
			return o, err
		}
	}
	return o, c.Wait()
}
