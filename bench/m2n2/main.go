// M2n2 repeats the digits experiment of M2N2 (arXiv:2508.16204): two networks that
// each know half of the digits are merged, without training, or networks are evolved
// from noise.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/mergevo/mergevo/bench/started"
	"github.com/mergevo/mergevo/internal/xla"
)

func main() { started.Main("m2n2", run, os.Interrupt) }

// line is what a seed came to: accuracies of the member that is best on the training
// digits, in %, and the share of those that some member knows.
type line struct {
	Variant  string  `json:"variant"`
	Seed     uint64  `json:"seed"`
	Train    float64 `json:"train"`
	Test     float64 `json:"test"`
	Coverage float64 `json:"coverage"`
	Seconds  float64 `json:"seconds"`
	Points   []point `json:"points,omitempty"`
}

func run(ctx context.Context, args []string, out, talk io.Writer) error {
	f := pflag.NewFlagSet("m2n2", pflag.ContinueOnError)
	f.SetOutput(talk)
	names := f.StringSlice("variant", []string{"m2n2"}, "one or more of "+strings.Join(variantNames(), ", "))
	seeds := f.Int("seeds", 10, "number of runs, with seeds 1, 2, …")
	evaluations := f.Int("evaluations", 0, "of a run (default 10,000, from scratch 50,000)")
	alpha := f.Float64("alpha", 1, "how much members compete; the variant ga has 0")
	archive := f.Int("archive", 20, "number of members")
	inFlight := f.Int("in-flight", 1, "children that are bred before the first is scored")
	straight := f.Bool("lerp", false, "mix along lines instead of arcs")
	apart := f.Bool("apart", false, "an angle for each side of the split, as in the paper's equation 2")
	fused := f.Bool("fused", false, "the whole loop on the device as one graph; needs XLA")
	data := f.String("data", "testdata/digits", "folder with the digits and the two networks")
	backend := f.String("backend", "auto", "where graphs run: "+strings.Join(xla.Names(), ", "))
	python := f.String("speed", "", "time an evaluation instead, in turns with reference.py, run by this Python with JAX")
	trace := f.Bool("trace", false, "with --json, also where a run stood on its way: accuracy, coverage, entropy and distance of the archive")
	picture := f.String("plot", "", "draw the variants' accuracies over the evaluations, with bands, to this svg, png or pdf; and what the archives know beside it")
	asJSON := f.Bool("json", false, "print a line of JSON a seed")
	f.Usage = func() {
		fmt.Fprintf(talk, "Usage: m2n2 [flags]\n\n  go run ./bench/m2n2 --variant no-split --seeds 3 --evaluations 2000\n  go run ./bench/m2n2 --variant m2n2,no-attraction,no-split,ga --plot digits.svg\n\n%s", f.FlagUsages())
	}
	if err := f.Parse(args); err != nil {
		return err
	}
	var list []variant
	for _, name := range *names {
		v, ok := variants[name]
		if !ok {
			return fmt.Errorf("no variant %q: want one of %s", name, strings.Join(variantNames(), ", "))
		}
		if f.Changed("alpha") {
			v.options.Alpha = *alpha
		}
		if *evaluations != 0 {
			v.evaluations = *evaluations
		}
		v.name, v.options.Archive, v.options.InFlight = name, *archive, *inFlight
		v.crossing.Straight, v.crossing.Apart = *straight, *apart
		v.traced = *trace || *picture != ""
		list = append(list, v)
	}
	switch {
	case f.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", f.Arg(0))
	case *seeds < 1:
		return errors.New("--seeds must be positive")
	case *inFlight < 1:
		return fmt.Errorf("%d children in flight: at least one is scored", *inFlight)
	case *evaluations < 0:
		return errors.New("--evaluations must be positive")
	case *fused && (*trace || *picture != ""):
		return errors.New("--fused goes without --trace and --plot")
	case *fused && *inFlight > loopSteps:
		return fmt.Errorf("--fused goes with %d children in flight at most", loopSteps)
	}
	d, err := openDigits(*data)
	if err != nil {
		return err
	}
	b, err := xla.Open(ctx, *backend, talk, nil)
	if err != nil {
		return err
	}
	if *python != "" {
		if *evaluations == 0 {
			*evaluations = speedEvaluations
		}
		return speed(ctx, list[0], b, d, *data, *python, *evaluations, *asJSON, out)
	}
	var curves []curve
	for _, v := range list {
		e, err := newExam(b, d, *inFlight)
		if err != nil {
			return err
		}
		defer e.close()
		if !*asJSON {
			fmt.Fprintf(out, "%s, %d evaluations, %s\n\nseed   train    test  coverage  seconds\n", v.name, v.evaluations, b.Kind)
		}
		c := curve{name: v.name}
		for seed := uint64(1); seed <= uint64(*seeds); seed++ {
			var l line
			if *fused {
				l, err = v.fused(ctx, b, e, d, seed)
			} else {
				l, err = v.run(ctx, e, d, seed)
			}
			if err != nil {
				return err
			}
			c.lines = append(c.lines, l)
			if !*asJSON {
				fmt.Fprintf(out, "%4d  %6.2f  %6.2f  %8.2f  %7.1f\n", l.Seed, l.Train, l.Test, l.Coverage, l.Seconds)
			} else if err := json.NewEncoder(out).Encode(l); err != nil {
				return err
			}
		}
		if !*asJSON {
			mean, se := meanOf(c.lines, func(l line) float64 { return l.Test })
			train, _ := meanOf(c.lines, func(l line) float64 { return l.Train })
			fmt.Fprintf(out, "mean  %6.2f  %6.2f ± %.2f (standard error)\n\n", train, mean, se)
		}
		curves = append(curves, c)
	}
	if *picture == "" {
		return nil
	}
	if err := draw(*picture, "accuracy on test digits, %", curves, func(p point) float64 { return p.Test }); err != nil {
		return err
	}
	ext := filepath.Ext(*picture)
	return draw(strings.TrimSuffix(*picture, ext)+"-archive"+ext, "entropy of the archive, bits a digit", curves, func(p point) float64 { return p.Entropy })
}

func variantNames() []string {
	var names []string
	for name := range variants {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
