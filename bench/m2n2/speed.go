package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/mergevo/mergevo/bench/measured"
	"github.com/mergevo/mergevo/internal/xla"
)

// speedLine is one way of running the experiment.
type speedLine struct {
	Name         string  `json:"name"`
	Milliseconds float64 `json:"ms_per_evaluation"`
	OfScan       float64 `json:"of_scan"` // medians of the rounds' ratios
	OfLoop       float64 `json:"of_loop"`
	Peak         float64 `json:"share_of_peak"` // of the arithmetic of a large product
}

const (
	speedRounds      = 5
	speedEvaluations = 1000
)

// fusedFlights are the children in flight in the loop on the device.
var fusedFlights = []int{1, 4}

func fusedName(w int) string { return fmt.Sprintf("mergevo, fused, %d in flight", w) }

// flops are of scoring one network on the training digits.
func flops(examples int) float64 { return 2 * float64(examples) * (inputs*hidden + hidden*outputs) }

// speed times the experiment in turns with reference.py, run by python.
func speed(ctx context.Context, v variant, b *xla.Backend, d *digits, data, python string, evaluations int, asJSON bool, out io.Writer) error {
	flights := []int{1, 4, 16}
	var exams []*exam
	for _, w := range flights {
		e, err := newExam(b, d, w)
		if err != nil {
			return err
		}
		defer e.close()
		exams = append(exams, e)
	}
	var wholes []*exam
	for range fusedFlights {
		e, err := newExam(b, d, 1)
		if err != nil {
			return err
		}
		defer e.close()
		wholes = append(wholes, e)
	}
	product, err := measured.NewProduct(b.Backend)
	if err != nil {
		return err
	}
	defer product.Finalize()
	times := map[string][]float64{}
	var names []string
	add := func(name string, seconds float64) {
		if times[name] == nil {
			names = append(names, name)
		}
		times[name] = append(times[name], seconds)
	}
	for round := range speedRounds + 1 {
		ours := map[string]float64{}
		for i, w := range flights {
			v.options.InFlight, v.evaluations = w, evaluations
			l, err := v.run(ctx, exams[i], d, 1)
			if err != nil {
				return err
			}
			ours[fmt.Sprintf("mergevo, %d in flight", w)] = l.Seconds / float64(evaluations)
		}
		for i, w := range fusedFlights {
			v.options.InFlight = w
			l, err := v.fused(ctx, b, wholes[i], d, 1)
			if err != nil {
				return err
			}
			ours[fusedName(w)] = l.Seconds / float64(evaluations)
		}
		scan, loop, err := reference(ctx, python, data, evaluations)
		if err != nil {
			return err
		}
		peak, err := productSeconds(product)
		if err != nil {
			return err
		}
		if round == 0 { // compiles
			continue
		}
		for _, w := range flights {
			name := fmt.Sprintf("mergevo, %d in flight", w)
			add(name, ours[name])
		}
		for _, w := range fusedFlights {
			add(fusedName(w), ours[fusedName(w)])
		}
		add("JAX, one lax.scan", scan)
		add("JAX, a step at a time", loop)
		add("peak", flops(len(d.train.labels))*peak)
	}
	if !asJSON {
		fmt.Fprintf(out, "%d evaluations, %d rounds, %s\n\n%-28s %14s %8s %8s %8s\n", evaluations, speedRounds, b.Kind, "", "ms/evaluation", "/ scan", "/ loop", "of peak")
	}
	for _, name := range names[:len(names)-1] {
		l := speedLine{name, 1000 * measured.Median(times[name]), measured.Median(measured.Ratios(times[name], times["JAX, one lax.scan"])),
			measured.Median(measured.Ratios(times[name], times["JAX, a step at a time"])), measured.Median(measured.Ratios(times["peak"], times[name]))}
		if asJSON {
			if err := json.NewEncoder(out).Encode(l); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(out, "%-28s %14.3f %7.2fx %7.2fx %6.0f %%\n", l.Name, l.Milliseconds, l.OfScan, l.OfLoop, 100*l.Peak)
	}
	return nil
}

// reference runs reference.py and returns seconds an evaluation.
func reference(ctx context.Context, python, data string, evaluations int) (scan, loop float64, err error) {
	var out, talk bytes.Buffer
	c := exec.CommandContext(ctx, python, filepath.Join("bench", "m2n2", "reference.py"), data, fmt.Sprint(evaluations))
	c.Stdout, c.Stderr = &out, &talk
	if err := c.Run(); err != nil {
		return 0, 0, fmt.Errorf("%s: %w\n%s", c, err, talk.String())
	}
	var r struct{ Scan, Loop float64 }
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return 0, 0, fmt.Errorf("%s printed %q: %w", c, out.String(), err)
	}
	return r.Scan, r.Loop, nil
}

// productSeconds is how long a floating-point operation takes in a large product.
func productSeconds(p *measured.Product) (float64, error) {
	best := math.Inf(1)
	for i := range 4 { // the first compiles
		began := time.Now()
		if err := p.Run(); err != nil {
			return 0, err
		}
		if i > 0 {
			best = math.Min(best, time.Since(began).Seconds())
		}
	}
	return best / measured.ProductFlops, nil
}
