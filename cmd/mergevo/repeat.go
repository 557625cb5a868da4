package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/runs"
)

// repeatEvent is what the same search came to with several seeds.
type repeatEvent struct {
	Seeds []uint64 `json:"seeds"`
	// Parts are the scores found on each part, by seed.
	Parts map[string][]float64 `json:"parts"`
	// Gaps are the differences to the best of the others, by seed.
	Gaps map[string][]float64 `json:"gaps"`
	// Others are what other optimizers found with the same seeds and budget.
	Others []otherFound `json:"others,omitempty"`
}

// otherFound is what a baseline's optimizer found, by seed.
type otherFound struct {
	Optimizer string               `json:"optimizer"`
	Parts     map[string][]float64 `json:"parts"`
}

func (repeatEvent) name() string { return "repeated" }

// add takes in what a search came to.
func (e *repeatEvent) add(seed uint64, r reportEvent) {
	e.Seeds = append(e.Seeds, seed)
	for _, x := range r.Entries {
		if x.Optimizer == "" {
			continue
		}
		at := slices.IndexFunc(e.Others, func(o otherFound) bool { return o.Optimizer == x.Optimizer })
		if at < 0 {
			at = len(e.Others)
			e.Others = append(e.Others, otherFound{x.Optimizer, map[string][]float64{}})
		}
		for part, i := range x.Parts {
			e.Others[at].Parts[part] = append(e.Others[at].Parts[part], i.Mean)
		}
	}
	found := r.Entries[len(r.Entries)-1]
	for _, part := range r.Parts {
		e.Parts[part] = append(e.Parts[part], found.Parts[part].Mean)
		if g := r.Gaps[part]; g != nil {
			e.Gaps[part] = append(e.Gaps[part], g.Mean)
		}
	}
}

func (e repeatEvent) text(w io.Writer) {
	fmt.Fprintf(w, "\n%d searches, seeds %d to %d: mean and standard error, %%\n", len(e.Seeds), e.Seeds[0], e.Seeds[len(e.Seeds)-1])
	t := tabwriter.NewWriter(w, 0, 4, 3, ' ', 0)
	row := func(name string, values map[string][]float64, format string) {
		fmt.Fprint(t, name)
		for _, part := range parts {
			if len(values[part]) > 0 {
				mean, se := meanAndError(values[part])
				fmt.Fprintf(t, "\t"+format+" ± %.2f", 100*mean, 100*se)
			}
		}
		fmt.Fprintln(t)
	}
	for _, part := range parts {
		if len(e.Parts[part]) > 0 {
			fmt.Fprint(t, "\t", part)
		}
	}
	fmt.Fprintln(t)
	row("found", e.Parts, "%.2f")
	row("to the best of the others", e.Gaps, "%+.2f")
	for _, o := range e.Others {
		row(o.Optimizer, o.Parts, "%.2f")
		if gaps := paired(e.Parts, o.Parts); len(gaps) > 0 {
			row("found - "+o.Optimizer, gaps, "%+.2f")
		}
	}
	_ = t.Flush()
}

// paired is what was found less what another found with the same seed; of the parts
// that each seed has a score on.
func paired(found, other map[string][]float64) map[string][]float64 {
	gaps := map[string][]float64{}
	for part, x := range found {
		y := other[part]
		if len(x) != len(y) {
			continue // the other failed with some seed
		}
		for k := range x {
			gaps[part] = append(gaps[part], x[k]-y[k])
		}
	}
	return gaps
}

// meanAndError is the mean of numbers and its standard error.
func meanAndError(x []float64) (mean, se float64) {
	n := float64(len(x))
	for _, v := range x {
		mean += v / n
	}
	for _, v := range x {
		se += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(se / math.Max(1, n-1) / n)
}

// repeatSearch runs a search with several seeds, each in a folder of its own, on the same
// parents and examples, which are placed and scored once. Searches
// that are there already are continued, so that the same command goes on after an
// interruption.
func repeatSearch(c *cobra.Command, v *voice, o searchOptions, file string) error {
	switch {
	case o.apply != "":
		return usage(errors.New("--apply writes one model, and --repeat finds several: apply the best.yaml of one of them"))
	case o.dryRun || o.probe:
		_, err := startSearch(c, v, o, file)
		return err
	}
	docs, err := readSearch(file, o)
	if err != nil {
		return err
	}
	_, r := split(docs)
	root := o.out
	if root == "" {
		if root, err = runs.NextDir("runs", recipeName(file)); err != nil {
			return fmt.Errorf("%w\nhint: --out DIR puts the runs elsewhere", err)
		}
	}
	o.shared = &shared{}
	defer o.shared.close()
	all := repeatEvent{Parts: map[string][]float64{}, Gaps: map[string][]float64{}}
	for k := range o.repeat {
		seed := r.Seed() + uint64(k)
		one := o
		one.set = append(slices.Clone(o.set), "seed="+strconv.FormatUint(seed, 10))
		one.out = filepath.Join(root, fmt.Sprintf("seed-%d", seed))
		rep, err := startOrContinue(c, v, one, file)
		v.log = nil // the run is closed
		if err != nil {
			return fmt.Errorf("seed %d: %w\nhint: the same command with --out %s goes on", seed, err, quote(root))
		}
		all.add(seed, rep)
	}
	return v.tell(all)
}

// startOrContinue begins the search of a seed, or goes on with it.
func startOrContinue(c *cobra.Command, v *voice, o searchOptions, file string) (reportEvent, error) {
	if _, err := os.Stat(filepath.Join(o.out, "run.db")); err != nil {
		return startSearch(c, v, o, file)
	}
	docs, err := readSearch(file, o)
	if err != nil {
		return reportEvent{}, err
	}
	_, r := split(docs)
	run, err := runs.Open(o.out)
	if err != nil {
		return reportEvent{}, err
	}
	if !bytes.Equal(run.Manifest().Recipe, r.Marshal()) {
		_ = run.Close()
		return reportEvent{}, usage(fmt.Errorf("%s is a run of another recipe, or had other flags", o.out))
	}
	o.resume = o.out
	return continueSearch(c, v, o, run)
}
