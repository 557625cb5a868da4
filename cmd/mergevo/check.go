package main

import (
	"errors"
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
against tensor names, and the tasks' data. No weight is read.` + exits("0 valid", "1 a model or a data file is damaged or missing", "2 invalid recipe"),
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
				m, err := modelOf(op)
				if err != nil {
					return err
				}
				if _, err := loadExams(r.Search, dir, m); err != nil {
					return err
				}
				st := settings{Optimizer: r.Search.Optimizer.Name, Population: r.Search.Optimizer.Population, Sigma: r.Search.Optimizer.Sigma}
				if r.HasHoles() {
					if _, err := newOptimizer(r, op.family.Box(), &st); err != nil {
						return err
					}
				}
			}
			switch {
			case r.HasHoles():
				fmt.Fprintf(out, "%s is valid: %d genes over %d tensors of %d models\n", args[0], len(op.family.Box()), len(op.parents.Merged()), len(op.paths))
			case r.Search != nil:
				return usage(errors.New(args[0] + ": a search block, but no hole to fill\nhint: weight: {search: [0, 1.5]}"))
			default:
				fmt.Fprintf(out, "%s is valid: merges %d tensors of %d models\n", args[0], len(op.parents.Merged()), len(op.paths))
			}
			return nil
		},
	}
	c.Flags().StringVar(&missing, "allow-missing", "", "what to do about tensors some model lacks: base or skip")
	return c
}
