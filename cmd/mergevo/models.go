package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
)

// opened is a recipe with its models open and found to fit together: everything
// that headers can tell.
type opened struct {
	recipe  *recipes.Recipe
	family  *recipes.Family
	parents *merge.Parents
	open    []*tensors.Checkpoint // of the parents
	paths   []string              // of the parents, absolute
}

func (o *opened) close() {
	for _, c := range o.open {
		_ = c.Close()
	}
}

// openModels resolves and opens a recipe's models. dir is the recipe's folder;
// moved replaces the path of a reference.
func openModels(r *recipes.Recipe, dir string, missing merge.Missing, moved map[string]string) (*opened, error) {
	o := &opened{recipe: r}
	var open []*tensors.Checkpoint
	var names []string // of those open
	fail := func(err error) (*opened, error) {
		for _, c := range open {
			_ = c.Close()
		}
		return nil, err
	}
	refs := r.Models()
	var problems []error
	for _, ref := range refs {
		path, err := moved[ref], error(nil)
		if path == "" {
			path, err = findFile(ref, dir)
		}
		if err != nil {
			if org, name, ok := strings.Cut(ref, "/"); ok && org != "." && org != ".." && !strings.Contains(name, "/") && filepath.Ext(name) == "" {
				err = fmt.Errorf("%w\nhint: models are not fetched from the Hub: download it and write its path", err)
			}
			problems = append(problems, fmt.Errorf("model %s: %w", ref, err))
			continue
		}
		if i := slices.Index(o.paths, path); i >= 0 {
			problems = append(problems, fmt.Errorf("model %s: it is %s, which the recipe lists already", ref, names[i]))
			continue
		}
		c, err := tensors.Open(path)
		if err != nil {
			problems = append(problems, fmt.Errorf("model %s: %w", ref, err))
			continue
		}
		open, names, o.paths = append(open, c), append(names, ref), append(o.paths, path)
	}
	if len(problems) > 0 {
		return fail(errors.Join(problems...))
	}
	p, err := merge.NewParents(refs, open, nil, missing, r.DType() != 0)
	if err != nil {
		return fail(err)
	}
	o.parents, o.open = p, open
	if o.family, err = r.Bind(p.Merged()); err != nil {
		return fail(err)
	}
	return o, nil
}

// findFile resolves a path named in a recipe: beside the recipe, else under the
// working directory. Two different files are an error that names both.
func findFile(ref, dir string) (string, error) {
	if filepath.IsAbs(ref) {
		_, err := os.Stat(ref)
		return ref, plainPath(err)
	}
	beside, err := filepath.Abs(filepath.Join(dir, ref))
	if err != nil {
		return "", err
	}
	here, err := filepath.Abs(ref)
	if err != nil {
		return "", err
	}
	a, errA := os.Stat(beside)
	b, errB := os.Stat(here)
	switch {
	case errA == nil && errB == nil && !os.SameFile(a, b):
		return "", fmt.Errorf("%s and %s both exist; write the one you mean as an absolute path", beside, here)
	case errA == nil:
		return beside, nil
	case errB == nil:
		return here, nil
	case errors.Is(errA, fs.ErrNotExist) && errors.Is(errB, fs.ErrNotExist):
		if beside == here {
			return "", fmt.Errorf("no such file or folder: %s", here)
		}
		return "", fmt.Errorf("no such file or folder: neither %s nor %s", beside, here)
	}
	return "", plainPath(errA)
}

// relocated is a recipe for a file in dir: its models' paths are relative to that,
// as long as they are on the same volume.
func relocated(r *recipes.Recipe, o *opened, dir string) (*recipes.Recipe, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	at := map[string]string{}
	for i, ref := range o.parents.Names() {
		at[ref] = o.paths[i]
		if rel, err := filepath.Rel(abs, o.paths[i]); err == nil {
			at[ref] = filepath.ToSlash(rel)
		}
	}
	moved := *r
	return &moved, moved.Relocate(func(ref string) string { return at[ref] })
}

func plainPath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return fmt.Errorf("%s: %w", p.Path, p.Err)
	}
	return err
}

// digests computes the content digest of every parent, in order.
func (o *opened) digests(ctx context.Context) ([]string, error) {
	out := make([]string, len(o.paths))
	for i, c := range o.open {
		d, err := c.Digest(ctx)
		if err != nil {
			return nil, fmt.Errorf("model %s: %w", o.parents.Names()[i], err)
		}
		out[i] = d
	}
	return out, nil
}

// addMissing adds the --allow-missing flag.
func addMissing(c *cobra.Command, how *string) {
	c.Flags().StringVar(how, "allow-missing", "", "what to do about tensors some model lacks: base or skip")
	complete(c, "allow-missing", "base", "skip")
}

func parseMissing(s string) (merge.Missing, error) {
	switch s {
	case "":
		return merge.MissingRefuse, nil
	case "base":
		return merge.MissingBase, nil
	case "skip":
		return merge.MissingSkip, nil
	}
	return 0, usage(fmt.Errorf("--allow-missing is base or skip, not %q", s))
}
