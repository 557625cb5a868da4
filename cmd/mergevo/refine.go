package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/evaluate/slope"
)

func newRefine() *cobra.Command {
	var out, backend, missing string
	var offline, asJSON bool
	p := usualPolish
	c := &cobra.Command{
		Use:   "refine FILE --out RECIPE",
		Short: "Refine the numbers of a recipe along gradients",
		Long: `Takes the holes of a recipe as variables, and moves them from where they start by
Adam along the gradient of a loss on the examples that a search would see: the
cross-entropy of their answers, or the entropy of the model's own, which needs no
labels. Gradients go through the graph that merges; which entries a method keeps is
taken as constant. What comes out is a recipe without holes: where the descent ended if
that scores better on the examples that answers are chosen on, else where it began. Both
are reported, with paired intervals. Holes must be numbers that need not be whole.

A search does the same to what it found: mergevo search FILE --polish STEPS.` + exits(exitFailed, exitUsage, exitInterrupted),
		Example: "  mergevo refine testdata/mnist/search.yaml --out refined.yaml\n  mergevo refine testdata/mnist/search.yaml --objective entropy --steps 500 --out refined.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			v := &voice{out: c.OutOrStdout(), err: c.ErrOrStderr(), json: asJSON}
			if out == "" {
				return usage(errors.New("--out RECIPE is needed: where shall the recipe go?"))
			}
			if err := p.check(); err != nil {
				return err
			}
			err := runRefine(c, v, p, args[0], out, backend, missing, offline)
			if errors.Is(err, context.Canceled) {
				return coded{errInterrupted, fmt.Errorf("interrupted; %s was not written", out)}
			}
			return err
		},
	}
	f := c.Flags()
	f.StringVarP(&out, "out", "o", "", "file to write")
	f.IntVar(&p.steps, "steps", p.steps, "steps of Adam")
	f.Float64Var(&p.rate, "rate", p.rate, "length of a step, in parts of each hole's range")
	f.IntVar(&p.batch, "batch", p.batch, "examples of each task that a step sees")
	f.StringVar(&p.objective, "objective", p.objective, "what falls: "+strings.Join(slope.Objectives(), " or "))
	f.BoolVar(&asJSON, "json", false, "print events as JSON, one a line")
	complete(c, "objective", slope.Objectives()...)
	addMissing(c, &missing)
	addBackend(c, &backend)
	addOffline(c, &offline)
	return c
}

func runRefine(c *cobra.Command, v *voice, p polish, file, out, backend, allowMissing string, offline bool) error {
	if err := placeable(out); err != nil {
		return err
	}
	r, err := readRecipe(file)
	if err != nil {
		return err
	}
	if err := searchable(r, file); err != nil {
		return err
	}
	how := opening{dir: filepath.Dir(file), hub: wholeModels(c, offline, v.json)}
	if how.missing, err = parseMissing(allowMissing); err != nil {
		return err
	}
	s, err := prepare(c.Context(), r, file, settings{Missing: allowMissing}, how)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.continuous(); err != nil {
		return err
	}
	if err := s.opened.say(v); err != nil {
		return err
	}
	if err := s.opened.orders(c.Context(), v); err != nil {
		return err
	}
	if err := s.openBackend(c, backend); err != nil {
		return err
	}
	if err := s.openArena(c.Context(), v); err != nil {
		return err
	}
	start := s.box.Start()
	before := &entry{Name: "before", spec: s.spec}
	if err := s.arena.mark(c.Context(), []*entry{before}); err != nil {
		return err
	}
	if before.result.Err != nil {
		return before.result.Err
	}
	a, e, err := s.refine(c.Context(), v, p, start, before)
	if err != nil {
		return err
	}
	filled, err := s.refined(c.Context(), a)
	if err != nil {
		return err
	}
	placed, err := relocated(filled, s.opened, filepath.Dir(out))
	if err != nil {
		return err
	}
	if err := deliver(c, out, placed.Marshal()); err != nil {
		return err
	}
	e.Written = out
	return v.tell(e)
}
