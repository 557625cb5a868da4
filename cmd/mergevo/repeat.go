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
}

func (repeatEvent) name() string { return "repeated" }

func (e repeatEvent) text(w io.Writer) {
	fmt.Fprintf(w, "\n%d searches, seeds %d to %d: mean and standard error, %%\n", len(e.Seeds), e.Seeds[0], e.Seeds[len(e.Seeds)-1])
	t := tabwriter.NewWriter(w, 0, 4, 3, ' ', 0)
	head, found, gap := "", "found", "to the best of the others"
	for _, part := range parts {
		if len(e.Parts[part]) == 0 {
			continue
		}
		head += "\t" + part
		mean, se := meanAndError(e.Parts[part])
		found += fmt.Sprintf("\t%.2f ± %.2f", 100*mean, 100*se)
		mean, se = meanAndError(e.Gaps[part])
		gap += fmt.Sprintf("\t%+.2f ± %.2f", 100*mean, 100*se)
	}
	fmt.Fprintf(t, "%s\n%s\n%s\n", head, found, gap)
	_ = t.Flush()
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

// repeatSearch runs a search with several seeds, each in a folder of its own. Searches
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
		all.Seeds = append(all.Seeds, seed)
		found := rep.Entries[len(rep.Entries)-1]
		for _, part := range rep.Parts {
			all.Parts[part] = append(all.Parts[part], found.Parts[part].Mean)
			if g := rep.Gaps[part]; g != nil {
				all.Gaps[part] = append(all.Gaps[part], g.Mean)
			}
		}
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
