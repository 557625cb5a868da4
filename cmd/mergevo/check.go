package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/recipes"
)

func newCheck() *cobra.Command {
	var missing string
	var offline bool
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "Validate a recipe without reading weights",
		Long: `Checks a recipe: its grammar, its models' headers against each other, filters
against tensor names, and the tasks' data. No weight is read.` + exits(exitFailed, exitUsage),
		Example: "  mergevo check testdata/mnist/search.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			v := &voice{out: c.OutOrStdout(), err: c.ErrOrStderr()}
			documents := 0
			return lookInto(c, args[0], missing, offline, func(r *recipes.Recipe, op *opened, last bool) error {
				if documents++; last {
					return checkLast(v, op, args[0], documents)
				}
				return op.say(v)
			})
		},
	}
	addMissing(c, &missing)
	addOffline(c, &offline)
	return c
}

// checkLast checks the recipe that a file is for, and all that a search of it needs.
func checkLast(v *voice, op *opened, file string, documents int) error {
	r := op.recipe
	if !r.HasHoles() {
		if _, err := mergeOf(op); err != nil {
			return err
		}
	}
	if err := op.say(v); err != nil {
		return err
	}
	if r.HasHoles() && r.Search == nil {
		v.say("before it can be searched, it needs a search block with tasks")
	}
	if r.Search != nil {
		if err := searchable(r, file); err != nil {
			return err
		}
		m, err := modelOf(op, r.Search)
		if err != nil {
			return err
		}
		e, err := loadExams(r.Search, filepath.Dir(file), m, op.runs().folder.Dir())
		if err == nil {
			err = e.panel.whole(r, op)
		}
		if err != nil {
			return err
		}
		box := op.family.Box()
		spec, err := op.specAt(box.Values(box.Start()))
		if err != nil {
			return err
		}
		if err := op.checkDescriptors(r, spec); err != nil {
			return err
		}
		st := settingsOf(r.Search)
		if err := checkOptimizer(op, &st); err != nil {
			return err
		}
	}
	if uses := programsOf(r.Search, filepath.Dir(file)); len(uses) > 0 {
		tellPrograms(v.out, uses)
	}
	what := "merges"
	if documents > 1 {
		what = count(documents, "document") + ", the last merges"
	}
	if r.HasHoles() {
		what = count(len(op.family.Box()), "gene") + " over"
		if f := op.family.Flat(); f != nil {
			what = "segments of " + count(int(f.Len()), "weight") + " over"
			if r.Init != nil {
				what = "networks of " + count(int(f.Len()), "weight") + " in"
			}
		}
	}
	fmt.Fprintf(v.out, "%s is valid: %s %s of %s\n", file, what, count(len(op.parents.Merged()), "tensor"), count(len(op.listed()), op.noun()))
	return nil
}

// checkOptimizer checks the settings of a search's optimizer.
func checkOptimizer(op *opened, st *settings) error {
	n, err := newNiched(op.recipe, op.family, st)
	if err == nil && n == nil {
		_, err = newOptimizer(op.recipe, op.family.Box(), st, &proposals{})
	}
	return err
}
