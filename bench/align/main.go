// Align trains pairs of networks on MNIST from different seeds, puts the units of one in
// the order of the other's, and compares orders and barriers with those of a program on
// NumPy and SciPy (Ainsworth et al. 2022, arXiv:2209.04836).
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/mergevo/mergevo/bench/started"
	"github.com/mergevo/mergevo/internal/xla"
)

func main() { started.Main("align", run, os.Interrupt) }

// options are the flags.
type options struct {
	training
	pairs, width, hidden               int
	work, train, test, backend, python string
	mergevo                            string
	json                               bool
}

func run(ctx context.Context, args []string, out, talk io.Writer) error {
	var o options
	f := pflag.NewFlagSet("align", pflag.ContinueOnError)
	f.SetOutput(talk)
	f.IntVar(&o.pairs, "pairs", 5, "number of pairs; pair i has the seeds 2i-1 and 2i")
	f.IntVar(&o.width, "width", 512, "units of a hidden layer")
	f.IntVar(&o.hidden, "hidden", 3, "hidden layers")
	f.IntVar(&o.epochs, "epochs", 10, "times that each image is seen")
	f.IntVar(&o.batch, "batch", 250, "images of a step")
	f.Float64Var(&o.rate, "rate", 1e-3, "Adam's rate at the start")
	f.StringVar(&o.work, "work", filepath.Join(os.TempDir(), "mergevo-align"), "folder that keeps the networks for the next run")
	f.StringVar(&o.train, "train", "testdata/mnist/val.safetensors", "images to train on; mnist.py makes a file of all 60,000")
	f.StringVar(&o.test, "test", "testdata/mnist/test.safetensors", "images to score on")
	f.StringVar(&o.backend, "backend", "auto", "where graphs run")
	f.StringVar(&o.python, "python", "", "a Python with numpy, scipy and safetensors for the reference; without, there is none")
	f.StringVar(&o.mergevo, "mergevo", "", "the program; it is built where none is named")
	f.BoolVar(&o.json, "json", false, "print a line of JSON a pair")
	f.Usage = func() {
		fmt.Fprintf(talk, "Usage: align [flags]\n\n  go run ./bench/align --pairs 1 --width 64 --epochs 3\n  go run ./bench/align --train train.safetensors --test test.safetensors --python venv/bin/python\n\n%s", f.FlagUsages())
	}
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 || o.pairs < 1 || o.width < 1 || o.hidden < 1 || o.epochs < 1 || o.batch < 1 {
		return errors.New("want flags alone, and positive numbers")
	}
	o.talk = func(format string, args ...any) { fmt.Fprintf(talk, format+"\n", args...) }
	return o.run(ctx, out, talk)
}

func (o *options) run(ctx context.Context, out, talk io.Writer) error {
	s, err := newSubject(o.width, o.hidden)
	if err != nil {
		return err
	}
	train, err := openImages(o.train)
	if err != nil {
		return err
	}
	test, err := openImages(o.test)
	if err != nil {
		return err
	}
	b, err := xla.Open(ctx, o.backend, talk, nil)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.work, 0o755); err != nil {
		return err
	}
	if o.mergevo == "" {
		o.mergevo = filepath.Join(o.work, "mergevo")
		if err := started.Build(ctx, o.mergevo); err != nil {
			return err
		}
	}
	t, err := newTrainer(b, s.model, train, o.training)
	if err != nil {
		return err
	}
	defer t.close()
	folder := func(seed int) string { return filepath.Join(o.work, fmt.Sprintf("seed-%d", seed)) }
	for seed := 1; seed <= 2*o.pairs; seed++ {
		if is, err := s.there(folder(seed)); err != nil {
			return err
		} else if is {
			continue
		}
		w, err := t.run(ctx, uint64(seed))
		if err != nil {
			return err
		}
		if err := s.write(folder(seed), w); err != nil {
			return err
		}
	}
	c := &comparison{mergevo: o.mergevo, python: o.python, work: o.work, test: test, subject: s, backend: b}
	if !o.json {
		fmt.Fprintf(out, "784-%d×%d-10 on %d images, %d epochs; %d test images, %s\n\n", o.width, o.hidden, len(train.labels), o.epochs, len(test.labels), b.Kind)
	}
	for i := 1; i <= o.pairs; i++ {
		l, err := c.pair(ctx, i, folder(2*i-1), folder(2*i))
		if err != nil {
			return err
		}
		if o.json {
			if err := json.NewEncoder(out).Encode(l); err != nil {
				return err
			}
			continue
		}
		l.print(out)
	}
	return nil
}

// print writes a pair for people.
func (l line) print(w io.Writer) {
	fmt.Fprintf(w, "pair %d: %.2f %% and %.2f %% of the test images right; %d of %d units moved in %.2f s\n", l.Pair, l.Accuracy[0], l.Accuracy[1], l.Moved, l.Units, l.Seconds)
	if l.Same != nil {
		fmt.Fprintf(w, "  %d of %d units where the reference puts them (%.2f s)\n", *l.Same, l.Units, l.ReferenceSeconds)
	}
	fmt.Fprintf(w, "  outputs differ by %.2g of the largest; distance %.3f, then %.3f; singular vectors agree by %.3f, then %.3f\n", l.Outputs, l.Distance[0], l.Distance[1], l.Vectors[0], l.Vectors[1])
	fmt.Fprintf(w, "  %-10s %24s %24s %24s\n", "barrier", "of the loss", "at the middle", "of the accuracy, points")
	for _, b := range []struct {
		name string
		of   *barriers
	}{{"mergevo", &l.Ours}, {"reference", l.Reference}} {
		if b.of != nil {
			fmt.Fprintf(w, "  %-10s %11.6f, %11.6f %11.6f, %11.6f %11.2f, %11.2f\n", b.name, b.of.Loss[0], b.of.Loss[1], b.of.Middle[0], b.of.Middle[1], b.of.Accuracy[0], b.of.Accuracy[1])
		}
	}
	fmt.Fprintln(w)
}
