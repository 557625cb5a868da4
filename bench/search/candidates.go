package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/mergevo/mergevo/bench/measured"
	"github.com/mergevo/mergevo/evaluate"
)

// candidates measures scored candidates a second: the population in one device
// call against one call a candidate, and against a checkpoint a candidate.
func candidates(ctx context.Context, s *subject, e *exam, rounds int, p *printer) error {
	whole, err := evaluate.OnDevice(s.pop, s.model, s.sets, s.plan)
	if err != nil {
		return err
	}
	defer whole.Finalize()
	one := s.plan
	one.Slice = 1
	single, err := evaluate.OnDevice(s.pop, s.model, s.sets, one)
	if err != nil {
		return err
	}
	defer single.Finalize()
	dir, err := memoryFolder()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a folder of ours in a temporary place
	files, err := newCheckpoints(s, e, dir)
	if err != nil {
		return err
	}
	defer files.finalize()

	check := &agreement{tolerance: s.tolerance()}
	onDevice := func(name string, d *evaluate.Device) contender {
		return contender{name, func() error {
			marks, err := s.evaluate(ctx, d)
			return check.same(name, marks, err)
		}}
	}
	onDisk := func(name string, w writer) contender {
		return contender{name, func() error {
			marks, err := files.score(ctx, w)
			return check.same(name, marks, err)
		}}
	}
	in := filepath.Dir(dir)
	all := []contender{
		onDevice("one device call", whole),
		onDevice("a device call each", single),
		onDisk("a checkpoint each in "+in, files.apply),
	}
	if files.float32() {
		all = append(all, onDisk("the same, its merge compiled once", files.compiled))
	}
	product, err := measured.NewProduct(s.backend.Backend)
	if err != nil {
		return err
	}
	defer product.Finalize()
	times, err := race(rounds, append(all, contender{"a large product", product.Run})...)
	if err != nil {
		return err
	}
	aims := []float64{0, 1.3, 5, 5}
	n := float64(len(s.specs))
	for i := 1; i < len(all); i++ {
		l := line{What: "candidates: " + all[0].name + " / " + all[i].name, Unit: "/s", AtLeast: true, Aim: aims[i],
			Ours: n / medianSeconds(times[0]), Baseline: n / medianSeconds(times[i])}
		l.Ratio, l.Best = compare(times[0], times[i], func(ours, theirs float64) float64 { return theirs / ours })
		if err := p.line(l); err != nil {
			return err
		}
	}
	// How far the first line could get: a generation that were all products.
	flops := n * float64(s.examples()) * float64(s.model.Flops)
	l := line{What: "arithmetic: one device call / a large product", Unit: "GF/s", Percent: true,
		Ours: flops / medianSeconds(times[0]) / 1e9, Baseline: measured.ProductFlops / medianSeconds(times[len(all)]) / 1e9}
	l.Ratio, l.Best = compare(times[0], times[len(all)], func(ours, product float64) float64 {
		return 100 * flops / ours / (measured.ProductFlops / product)
	})
	return p.line(l)
}

// evaluate scores the candidates and returns their accuracies in task order.
func (s *subject) evaluate(ctx context.Context, d *evaluate.Device) ([][]float64, error) {
	pop := make([]evaluate.Model, len(s.specs))
	for i, spec := range s.specs {
		pop[i].Spec = spec
	}
	results, err := d.Evaluate(ctx, pop)
	if err != nil {
		return nil, err
	}
	marks := make([][]float64, len(results))
	for i, r := range results {
		if r.Err != nil {
			return nil, fmt.Errorf("candidate %d: %w", i, r.Err)
		}
		for _, t := range d.Layout() {
			marks[i] = append(marks[i], r.Tasks[t.Task])
		}
	}
	return marks, nil
}

// tolerance is how far accuracies of the same candidate may be apart: not at all
// where every graph holds the same products. A population axis makes other
// kernels, whose last bits may turn an example over.
func (s *subject) tolerance() float64 {
	if s.plan.Unrolled {
		return 0
	}
	return 2 / float64(s.sets[0].Len())
}

// agreement holds every contender's accuracies against those that came first.
type agreement struct {
	tolerance float64
	from      string
	want      [][]float64
}

func (a *agreement) same(name string, got [][]float64, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if a.want == nil {
		a.from, a.want = name, got
	}
	for i := range a.want {
		for t := range a.want[i] {
			if !(math.Abs(got[i][t]-a.want[i][t]) <= a.tolerance) {
				return fmt.Errorf("results differ: candidate %d scores %v by %s and %v by %s", i, a.want[i], a.from, got[i], name)
			}
		}
	}
	return nil
}
