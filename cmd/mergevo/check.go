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
			docs, err := readDocuments(args[0])
			if err != nil {
				return err
			}
			how := opening{dir: filepath.Dir(args[0]), hub: headersOnly(c, offline)}
			if how.missing, err = parseMissing(missing); err != nil {
				return err
			}
			if len(docs) == 1 {
				return checkRecipe(c, docs[0], args[0], how)
			}
			plan, err := planDocuments(c.Context(), docs, how)
			if err != nil {
				return err
			}
			defer plan.last.opened.close()
			for _, n := range plan.notes {
				fmt.Fprintf(c.ErrOrStderr(), "mergevo: %s\n", n)
			}
			fmt.Fprintf(c.OutOrStdout(), "%s is valid: %s, the last merges %s\n", args[0], count(len(docs), "document"), count(plan.event("").Tensors, "tensor"))
			return nil
		},
	}
	addMissing(c, &missing)
	addOffline(c, &offline)
	return c
}

// checkRecipe checks a file of one recipe, and all that a search of it needs.
func checkRecipe(c *cobra.Command, r *recipes.Recipe, file string, how opening) error {
	op, err := openModels(c.Context(), r, how)
	if err != nil {
		return err
	}
	defer op.close()
	if !r.HasHoles() {
		spec, err := op.family.Spec(nil)
		if err == nil {
			err = spec.Check(op.parents)
		}
		if err != nil {
			return err
		}
	}
	notes, err := op.notes()
	if err != nil {
		return err
	}
	if r.HasHoles() && r.Search == nil {
		notes = append(notes, "before it can be searched, it needs a search block with tasks")
	}
	for _, n := range notes {
		fmt.Fprintf(c.ErrOrStderr(), "mergevo: %s\n", n)
	}
	if r.Search != nil {
		if err := searchable(r, file); err != nil {
			return err
		}
		m, err := modelOf(op)
		if err != nil {
			return err
		}
		if _, err := loadExams(r.Search, how.dir, m); err != nil {
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
	fmt.Fprintf(c.OutOrStdout(), "%s is valid: %s %s of %s\n", file, what, count(len(op.parents.Merged()), "tensor"), count(len(op.models), "model"))
	return nil
}
