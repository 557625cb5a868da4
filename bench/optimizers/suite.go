package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/mergevo/mergevo/evolve"
)

// suite is a run of an optimizer on CEC 2022's functions.
type suite struct {
	task
	python  string
	numbers []int // of functions
	marks   []int // evaluations after which errors are told, ascending
}

// run prints a table: errors after each of the marks, medians over the seeds with the least
// and the largest, beside what has been published. Runs go on side by side, one a processor;
// talk hears of each that has ended.
func (s suite) run(ctx context.Context, out, talk io.Writer) error {
	results := make([][][]float64, len(s.numbers)) // function, seed, mark
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	var mu sync.Mutex
	for i := range results {
		results[i] = make([][]float64, s.seeds)
	}
	for seed := range s.seeds {
		for i, number := range s.numbers {
			g.Go(func() error {
				errors, err := s.once(ctx, number, uint64(seed+1))
				if err != nil {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				results[i][seed] = errors
				fmt.Fprintf(talk, "F%d, seed %d: %.3g\n", number, seed+1, errors)
				return nil
			})
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	s.print(out, results)
	return nil
}

// print prints a row a function.
func (s suite) print(out io.Writer, results [][][]float64) {
	fmt.Fprintf(out, "CEC 2022, n = %d, %s, %d seeds: median (least to largest) error after so many evaluations\n\n", s.dim, s.optimizer, s.seeds)
	head, others := []string{"function"}, published
	if s.dim != publishedDim {
		others = nil
	}
	for _, m := range s.marks {
		head = append(head, strconv.Itoa(m))
	}
	for _, p := range others {
		head = append(head, "published: "+p.name)
	}
	fmt.Fprintf(out, "| %s |\n|---|%s\n", strings.Join(head, " | "), strings.Repeat("---:|", len(head)-1))
	for i, number := range s.numbers {
		row := []string{fmt.Sprint("F", number)}
		for m := range s.marks {
			var list []float64
			for _, r := range results[i] {
				list = append(list, r[m])
			}
			slices.Sort(list)
			row = append(row, fmt.Sprintf("%.3g (%.3g to %.3g)", quantile(list, 0.5), list[0], list[len(list)-1]))
		}
		for _, p := range others {
			cell := ""
			if e, ok := p.errors[number]; ok {
				cell = fmt.Sprintf("%.3g", e)
			}
			row = append(row, cell)
		}
		fmt.Fprintf(out, "| %s |\n", strings.Join(row, " | "))
	}
}

// once returns the least error after each of the marks.
func (s suite) once(ctx context.Context, number int, seed uint64) ([]float64, error) {
	a, ok := evolve.LookupOptimizer(s.optimizer)
	if !ok {
		return nil, fmt.Errorf("no optimizer %q: see --list", s.optimizer)
	}
	f, err := startCEC2022(ctx, s.python, number, s.dim)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.close() }() // every answer has been read
	box, set := make(evolve.Box, s.dim), s.settings
	start := task{dim: s.dim, lo: -cec2022Bound, hi: cec2022Bound}.start(seed)
	for i := range box {
		box[i] = evolve.Gene{Name: fmt.Sprint("x", i), Lo: -cec2022Bound, Hi: cec2022Bound, Start: start[i]}
	}
	set.Seed, set.Evaluations = seed, s.marks[len(s.marks)-1]
	opt, err := a.New(box, set)
	if err != nil {
		return nil, err
	}
	marked, done, least := []float64{}, 0, math.Inf(1)
	objective := func(_ context.Context, pop []evolve.Candidate[[]float64]) ([]evolve.Score, error) {
		x, y, scores := make([][]float64, len(pop)), make([]float64, len(pop)), make([]evolve.Score, len(pop))
		for i, c := range pop {
			x[i] = box.Values(c.Genome)
		}
		if err := f.errors(y, x); err != nil {
			return nil, err
		}
		for i, e := range y {
			scores[i].Value = -e
			least = min(least, e)
			if done++; len(marked) < len(s.marks) && done == s.marks[len(marked)] {
				marked = append(marked, least)
			}
		}
		return scores, nil
	}
	for _, err := range evolve.Run(ctx, opt, objective, evolve.Budget{Evaluations: set.Evaluations}, evolve.Progress[[]float64]{}) {
		if err != nil {
			return nil, fmt.Errorf("function %d, seed %d: %w", number, seed, err)
		}
		if least == 0 {
			break
		}
	}
	for len(marked) < len(s.marks) { // it stopped before
		marked = append(marked, least)
	}
	return marked, nil
}

// newSuite reads the flags of --suite.
func newSuite(t task, name, python string, numbers, marks []int) (suite, error) {
	s := suite{task: t, python: python, numbers: numbers, marks: marks}
	switch {
	case name != "cec2022":
		return s, fmt.Errorf("--suite %s: there is cec2022", name)
	case python == "":
		return s, fmt.Errorf("--suite %s: --python names a Python with minionpy, which computes its functions", name)
	case t.dim != 10 && t.dim != 20:
		return s, fmt.Errorf("--dim %d: CEC 2022 has 10 and 20", t.dim)
	}
	if len(numbers) == 0 {
		for n := range cec2022Functions {
			s.numbers = append(s.numbers, n+1)
		}
	}
	for _, n := range s.numbers {
		if n < 1 || n > cec2022Functions {
			return s, fmt.Errorf("--functions %d: CEC 2022 has 1 to %d", n, cec2022Functions)
		}
	}
	if len(marks) == 0 {
		s.marks = []int{200000} // the competition's
		if t.dim == 20 {
			s.marks = []int{1000000}
		}
	}
	for i, m := range s.marks {
		if m < 1 || i > 0 && m <= s.marks[i-1] {
			return s, fmt.Errorf("--marks %d: they are positive and ascend", m)
		}
	}
	return s, nil
}
