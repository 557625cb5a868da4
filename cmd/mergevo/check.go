package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"
)

func newCheck() *cobra.Command {
	var missing string
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "Validate a recipe without reading weights",
		Long: `Checks a recipe: its grammar, its models' headers against each other, filters
against tensor names, and the tasks' data. No weight is read.` + exits(exitFailed, exitUsage),
		Example: "  mergevo check testdata/mnist/search.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := readRecipe(args[0])
			if err != nil {
				return err
			}
			how, err := parseMissing(missing)
			if err != nil {
				return err
			}
			dir := filepath.Dir(args[0])
			op, err := openModels(r, dir, how, nil)
			if err != nil {
				return err
			}
			defer op.close()
			for _, n := range r.Notes() {
				fmt.Fprintf(c.ErrOrStderr(), "mergevo: %s\n", n)
			}
			out := c.OutOrStdout()
			if r.Search != nil {
				if err := searchable(r, args[0]); err != nil {
					return err
				}
				m, err := modelOf(op)
				if err != nil {
					return err
				}
				if _, err := loadExams(r.Search, dir, m); err != nil {
					return err
				}
				st := settingsOf(r.Search)
				if _, err := newOptimizer(r, op.family.Box(), &st); err != nil {
					return err
				}
			}
			what := "merges"
			if r.HasHoles() {
				what = count(len(op.family.Box()), "gene") + " over"
			}
			if r.HasHoles() && r.Search == nil {
				fmt.Fprintln(c.ErrOrStderr(), "mergevo: before it can be searched, it needs a search block with tasks")
			}
			fmt.Fprintf(out, "%s is valid: %s %s of %s\n", args[0], what, count(len(op.parents.Merged()), "tensor"), count(len(op.paths), "model"))
			return nil
		},
	}
	addMissing(c, &missing)
	return c
}
