package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/recipes"
)

func newInit() *cobra.Command {
	var out, tasks, missing string
	var offline bool
	c := &cobra.Command{
		Use:   "init CONFIG",
		Short: "Turn a merge configuration into a search file",
		Long: `Reads a mergekit configuration or a recipe, and writes it with a hole in place of
every number that the merge reads. Each hole starts at the number that was there, so
the search begins with the merge you have; of a file of several documents the last is
opened. Headers of the models are read, no weight.` + exits(exitFailed, exitUsage),
		Example: "  mergevo init ties.yml --out search.yaml\n  mergevo init ties.yml --tasks testdata/mnist/search.yaml --out search.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var text []byte
			err := lookInto(c, args[0], missing, offline, func(r *recipes.Recipe, op *opened, last bool) (err error) {
				if last {
					if r, err = op.family.Open(); err != nil {
						return usage(err)
					}
					if err := copySearch(r, tasks, place(out, args[0])); err != nil {
						return err
					}
				}
				// A model that was named relative to the configuration is named from the
				// new file's folder.
				if out != "" && filepath.Dir(out) != filepath.Dir(args[0]) {
					if r, err = relocated(r, op, filepath.Dir(out)); err != nil {
						return err
					}
				}
				text = append(text, r.Marshal()...)
				switch {
				case !last:
					text = append(text, "---\n"...)
				case r.Search == nil:
					text = append(text, searchSketch...)
				}
				return nil
			})
			if err != nil {
				return err
			}
			return deliver(c, out, text)
		},
	}
	c.Flags().StringVarP(&out, "out", "o", "", "file to write; standard output without it")
	c.Flags().StringVar(&tasks, "tasks", "", "a recipe whose search block to copy")
	addMissing(c, &missing)
	addOffline(c, &offline)
	return c
}

// copySearch gives a recipe for a file in dir the search block of another file.
func copySearch(r *recipes.Recipe, file, dir string) error {
	if file == "" {
		return nil
	}
	from, err := readRecipe(file)
	if err != nil {
		return err
	}
	if from.Search == nil {
		return usage(fmt.Errorf("--tasks %s: it has no search block to copy", file))
	}
	r.Search = from.Search.Moved(func(data string) string { return between(filepath.Dir(file), dir, data) })
	return nil
}

// searchSketch is what a new search file still needs.
const searchSketch = `
# Say what to score candidates on, then: mergevo search THIS_FILE
#search:
#  evaluations: 500
#  tasks:
#    - {name: mine, kind: classification, data: examples.safetensors}
`

// place is the folder of a file that is to be written, else of the one it comes from.
func place(out, from string) string {
	if out != "" {
		return filepath.Dir(out)
	}
	return filepath.Dir(from)
}

// between rewrites a path relative to one folder as relative to another.
func between(from, to, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	a, errA := filepath.Abs(filepath.Join(from, path))
	b, errB := filepath.Abs(to)
	if errA != nil || errB != nil {
		return path
	}
	rel, err := filepath.Rel(b, a)
	if err != nil {
		return a
	}
	return filepath.ToSlash(rel)
}

// deliver writes text to a new file, or to standard output.
func deliver(c *cobra.Command, out string, text []byte) error {
	if out == "" {
		_, err := c.OutOrStdout().Write(text)
		return err
	}
	if err := placeable(out); err != nil {
		return err
	}
	if err := appear(out, text); err != nil {
		return err
	}
	fmt.Fprintf(c.ErrOrStderr(), "mergevo: wrote %s; check it with: mergevo check %s\n", out, quote(out))
	return nil
}
