// Optimizers measures how many evaluations optimizers need to reach a target, and
// what they cost themselves, beside pycma in the same run.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/mergevo/mergevo/bench/started"
	"github.com/mergevo/mergevo/evolve"
)

// task is what is measured.
type task struct {
	function    function
	dim, seeds  int
	lo, hi      float64 // of x0, in every coordinate
	sigma       float64
	target      float64
	evaluations int // at most
	optimizer   string
	settings    evolve.Settings
	json        bool
	pycma       string
}

func main() { started.Main("optimizers", run, os.Interrupt) }

func run(ctx context.Context, args []string, out, talk io.Writer) error {
	var t task
	var name, x0, restarts, suiteName, python string
	var instance int
	var numbers, marks []int
	var overhead bool
	var set []string
	f := pflag.NewFlagSet("optimizers", pflag.ContinueOnError)
	f.SetOutput(talk)
	f.StringVar(&name, "function", "sphere", "what to minimize: see --list")
	f.IntVar(&instance, "instance", 1, "of BBOB's f1 to f24")
	f.IntVar(&t.dim, "dim", 10, "number of dimensions")
	f.IntVar(&t.seeds, "seeds", 15, "number of runs, with seeds 1, 2, …")
	f.StringVar(&x0, "x0", "3", "start in every coordinate, or lo:hi for uniform ones, of restarts too")
	f.Float64Var(&t.sigma, "sigma", 2, "first step size")
	f.Float64Var(&t.target, "target", 1e-9, "value to reach; of f1 to f24 the distance to the best value")
	f.IntVar(&t.evaluations, "max-evaluations", 0, "budget of a run (default 10,000 a dimension)")
	f.StringVar(&t.optimizer, "optimizer", evolve.DefaultOptimizer, "a row of evolve.Optimizers: see --list")
	f.IntVar(&t.settings.Population, "population", 0, "candidates a generation (default: the optimizer's)")
	f.StringVar(&restarts, "restarts", "", "none, ipop or bipop")
	f.StringArrayVar(&set, "set", nil, "an option of the optimizer, NAME=VALUE")
	f.BoolVar(&t.json, "json", false, "print a line of JSON a seed")
	f.StringVar(&t.pycma, "pycma", "", "a Python with pycma, to run it side by side")
	f.BoolVar(&overhead, "overhead", false, "measure milliseconds a generation instead, at n = 10, 100 and 1000")
	f.StringVar(&suiteName, "suite", "", "cec2022: run the optimizer on CEC 2022's functions instead, beside published figures")
	f.StringVar(&python, "python", "", "of --suite: a Python with minionpy, which computes the functions")
	f.IntSliceVar(&numbers, "functions", nil, "of --suite: which, such as 2,4 (default all)")
	f.IntSliceVar(&marks, "marks", nil, "of --suite: evaluations after which errors are told, such as 10000000,30000000 (default the competition's budget)")
	list := f.Bool("list", false, "list functions and optimizers")
	f.Usage = func() {
		fmt.Fprintf(talk, "Usage: optimizers [flags]\n\n  go run ./bench/optimizers --function rosenbrock --dim 10 --x0 0 --sigma 0.1 --pycma python3\n  go run ./bench/optimizers --suite cec2022 --python python3 --optimizer metade --seeds 3\n\n%s", f.FlagUsages())
	}
	if err := f.Parse(args); err != nil {
		return err
	}
	if *list {
		printList(out)
		return nil
	}
	t.settings.Options = map[string]string{}
	for _, s := range set {
		k, v, ok := strings.Cut(s, "=")
		if !ok {
			return fmt.Errorf("--set %s: write NAME=VALUE", s)
		}
		t.settings.Options[k] = v
	}
	if restarts != "" {
		t.settings.Options["restarts"] = restarts
	}
	if overhead {
		return measureOverhead(ctx, t, out)
	}
	if suiteName != "" {
		if t.seeds < 1 {
			return errors.New("--seeds is a positive number")
		}
		s, err := newSuite(t, suiteName, python, numbers, marks)
		if err != nil {
			return err
		}
		return s.run(ctx, out, talk)
	}
	var err error
	if t.function, err = lookup(name, instance); err != nil {
		return err
	}
	if t.lo, t.hi, err = interval(x0); err != nil {
		return err
	}
	switch {
	case t.dim < 2:
		return fmt.Errorf("--dim %d: the functions need 2 or more", t.dim)
	case t.seeds < 1 || t.evaluations < 0:
		return errors.New("--seeds and --max-evaluations are positive numbers")
	case !(t.sigma > 0) || math.IsInf(t.sigma, 0) || math.IsNaN(t.target):
		return errors.New("--sigma is above 0, and --target a number")
	case t.evaluations == 0:
		t.evaluations = 10000 * t.dim
	}
	return t.compare(ctx, out)
}

// interval reads "lo:hi", or one number for both.
func interval(s string) (lo, hi float64, err error) {
	a, b, two := strings.Cut(s, ":")
	if !two {
		b = a
	}
	if lo, err = strconv.ParseFloat(a, 64); err == nil {
		hi, err = strconv.ParseFloat(b, 64)
	}
	if err != nil || !(lo <= hi) || math.IsInf(lo, 0) || math.IsInf(hi, 0) {
		return 0, 0, fmt.Errorf("--x0 %s: write a number, or lo:hi", s)
	}
	return lo, hi, nil
}

// outcome is a run's.
type outcome struct {
	Seed        uint64  `json:"seed"`
	Evaluations int     `json:"evaluations"` // to the target, or in all
	Reached     bool    `json:"reached"`
	Best        float64 `json:"best"`
}

// compare runs every seed, and pycma's too if asked.
func (t task) compare(ctx context.Context, out io.Writer) error {
	var ours []outcome
	for seed := range uint64(t.seeds) {
		o, err := t.once(ctx, seed+1)
		if err != nil {
			return err
		}
		ours = append(ours, o)
		if t.json {
			line, err := json.Marshal(o)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%s\n", line)
		}
	}
	if t.json {
		return nil
	}
	fmt.Fprintf(out, "%s, n = %d, x0 %g to %g, sigma %g, target %g, %d evaluations at most, %d seeds\n\n", t.function.names[0], t.dim, t.lo, t.hi, t.sigma, t.target, t.evaluations, t.seeds)
	fmt.Fprintln(out, "|  | median | quartiles | reached | aRT |\n|---|---:|---:|---:|---:|")
	us := summarize(ours)
	us.print(out, t.optimizer)
	if t.pycma == "" {
		return nil
	}
	theirs, err := t.runPycma(ctx)
	if err != nil {
		return err
	}
	them := summarize(theirs)
	them.print(out, "pycma")
	if us.reached > 0 && them.reached > 0 {
		fmt.Fprintf(out, "\n%s / pycma, medians: %.3f\n", t.optimizer, us.median/them.median)
	}
	return nil
}

// start is a seed's first point.
func (t task) start(seed uint64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 20))
	x := make([]float64, t.dim)
	for i := range x {
		x[i] = t.lo + rng.Float64()*(t.hi-t.lo)
	}
	return x
}

// once runs the optimizer with one seed.
func (t task) once(ctx context.Context, seed uint64) (outcome, error) {
	a, ok := evolve.LookupOptimizer(t.optimizer)
	if !ok {
		return outcome{}, fmt.Errorf("no optimizer %q: see --list", t.optimizer)
	}
	s, box := t.settings, make(evolve.Box, t.dim)
	s.Seed, s.Evaluations = seed, t.evaluations
	start := t.start(seed)
	lo, hi := math.Min(t.function.lo, t.lo-2*t.sigma), math.Max(t.function.hi, t.hi+2*t.sigma)
	for i := range box {
		box[i] = evolve.Gene{Name: fmt.Sprint("x", i), Lo: lo, Hi: hi, Start: start[i]}
	}
	value := box.Values
	if a.Free {
		s.Free, s.Sigma, s.Start = true, t.sigma, start
		s.RestartLo, s.RestartHi = slices.Repeat([]float64{t.lo}, t.dim), slices.Repeat([]float64{t.hi}, t.dim)
		value = func(x []float64) []float64 { return x }
	} else {
		s.Sigma = math.Min(1, t.sigma/(hi-lo))
	}
	opt, err := a.New(box, s)
	if err != nil {
		return outcome{}, err
	}
	f, o := t.function.of(t.dim), outcome{Seed: seed, Best: math.Inf(1)}
	objective := func(_ context.Context, pop []evolve.Candidate[[]float64]) ([]evolve.Score, error) {
		scores := make([]evolve.Score, len(pop))
		for i, c := range pop {
			y := f(value(c.Genome))
			scores[i].Value = -y
			if !o.Reached {
				o.see(y, t.target)
			}
		}
		return scores, nil
	}
	for _, err := range evolve.Run(ctx, opt, objective, evolve.Budget{Evaluations: t.evaluations}, evolve.Progress[[]float64]{}) {
		if err != nil {
			return o, err
		}
		if o.Reached {
			break
		}
	}
	return o, nil
}

// see counts an evaluation.
func (o *outcome) see(y, target float64) {
	o.Evaluations++
	o.Best = math.Min(o.Best, y)
	o.Reached = y <= target
}

func printList(out io.Writer) {
	for _, f := range functions {
		fmt.Fprintf(out, "%-24s %s\n", strings.Join(f.names, ", "), f.doc)
	}
	for i, f := range bbobFunctions {
		fmt.Fprintf(out, "%-24s BBOB's %s\n", fmt.Sprint("f", i+1), f.name)
	}
	fmt.Fprintln(out)
	for _, a := range evolve.Optimizers() {
		fmt.Fprintf(out, "%-24s %s\n", a.Name, a.Doc)
	}
}
