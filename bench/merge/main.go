// Command merge measures `mergevo apply` beside the floor that reading and writing
// set, beside plain C, and beside mergekit, in turn, in one run. See bench/README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/mergevo/mergevo/bench/started"
)

func main() { started.Main("bench", run, os.Interrupt) }

// options are the flags.
type options struct {
	size          float64
	rounds        int
	work, venv    string
	mergekit      bool
	methods       []method
	memory, large bool
	markdown      bool
	backend       string
}

func parse(args []string, talk io.Writer) (o options, err error) {
	f := pflag.NewFlagSet("merge", pflag.ContinueOnError)
	f.SetOutput(talk)
	f.Float64Var(&o.size, "size", 0.5, "billions of parameters: 0.02, 0.1, 0.5, 1 or 2")
	f.IntVar(&o.rounds, "rounds", 3, "times that everything is measured, in turn")
	only := f.StringSlice("methods", nil, "of "+strings.Join(names(methods), ", ")+"; all if empty")
	f.StringVar(&o.work, "work", filepath.Join(os.TempDir(), "mergevo-bench"), "folder of models, programs and outputs; what is there is used again")
	kit := f.String("mergekit", "yes", "yes or no: measure mergekit too")
	f.StringVar(&o.venv, "venv", "", "virtual environment with mergekit 0.1.5; made in the work folder if empty")
	f.BoolVar(&o.memory, "memory", false, "measure peak memory from 0.1 to 2 billion parameters instead")
	f.BoolVar(&o.large, "large", false, "plan 70 billion parameters instead, and merge a layer, the embedding and the head of them under a memory limit; takes 24 GB of disk")
	f.BoolVar(&o.markdown, "markdown", false, "print the tables as Markdown")
	f.StringVar(&o.backend, "backend", "xla:cpu", "of mergevo")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("%q: flags only", f.Arg(0))
	case o.rounds < 1:
		return o, errors.New("--rounds must be positive")
	case o.size > 2:
		return o, fmt.Errorf("--size %g: 2 is the most that is merged", o.size)
	case *kit != "yes" && *kit != "no":
		return o, fmt.Errorf("--mergekit %q: yes or no", *kit)
	}
	o.mergekit = *kit == "yes"
	o.methods = methods
	if len(*only) > 0 {
		o.methods = nil
		for _, name := range *only {
			i := slices.Index(names(methods), name)
			if i < 0 {
				return o, fmt.Errorf("--methods: no %q; there are %s", name, strings.Join(names(methods), ", "))
			}
			o.methods = append(o.methods, methods[i])
		}
	}
	o.work, err = filepath.Abs(o.work)
	return o, err
}

func run(ctx context.Context, args []string, out, talk io.Writer) error {
	o, err := parse(args, talk)
	if err != nil {
		return err
	}
	b, err := prepare(ctx, o, talk)
	if err != nil {
		return err
	}
	p := printer{out: out, markdown: o.markdown}
	if err := b.describe(ctx, &p); err != nil {
		return err
	}
	switch {
	case o.memory:
		return b.memory(ctx, &p)
	case o.large:
		return b.large(ctx, &p)
	}
	dir, s, err := b.family(ctx, agreementSize)
	if err != nil {
		return err
	}
	if err := b.agreement(ctx, &p, dir, s); err != nil {
		return err
	}
	if dir, s, err = b.family(ctx, o.size); err != nil {
		return err
	}
	if err := b.idle(ctx); err != nil {
		return err
	}
	if err := b.race(ctx, &p, dir, s); err != nil {
		return err
	}
	return b.digests(ctx, &p, dir, s)
}
