package main

import (
	"context"
	"fmt"

	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tensors/view"
)

// statisticFile is a file that a recipe names beside a model, open: it describes the
// model's data.
type statisticFile struct {
	kind       *merge.Statistic
	ref, path  string
	model      string // whose it is
	checkpoint *tensors.Checkpoint
}

// madeOf is the key of a file's metadata under which the digest of the model is that
// it was made of.
const madeOf = "mergevo_model"

// attach opens the files that the recipe's methods read, and gives them to the parents.
func (o *opened) attach(how opening) error {
	for _, kind := range o.recipe.Statistics() {
		refs := o.layout.Statistics(kind)
		files, views := make([]tensors.Source, len(refs)), make([]tensors.Source, len(refs))
		for i, ref := range refs {
			if ref == "" {
				continue
			}
			p := o.layout.Parents[i]
			f, err := o.statistic(kind, ref, p.Ref, how)
			if err != nil {
				return fmt.Errorf("%s file %s of model %s: %w", kind.Name, ref, p.Ref, err)
			}
			files[i], views[i] = f.checkpoint, f.checkpoint
			if names := kind.Renames(f.checkpoint, p.Names); names != nil {
				if views[i], err = view.Rename(f.checkpoint, f.checkpoint.Path(), names); err != nil {
					return err
				}
			}
		}
		if err := o.parents.Attach(kind, files, views); err != nil {
			return err
		}
	}
	return nil
}

// statistic opens a file once.
func (o *opened) statistic(kind *merge.Statistic, ref, model string, how opening) (*statisticFile, error) {
	for _, f := range o.statistics {
		if f.ref == ref && f.kind == kind {
			return f, nil
		}
	}
	path := how.moved[ref]
	if path == "" {
		var err error
		if path, err = findFile(ref, how.dir); err != nil {
			return nil, fmt.Errorf("%w\nhint: %s MODEL --tasks FILE --out %s makes it", err, kind.Command, quote(ref))
		}
	}
	c, err := tensors.Open(path)
	if err != nil {
		return nil, err
	}
	f := &statisticFile{kind, ref, path, model, c}
	o.statistics = append(o.statistics, f)
	return f, nil
}

// input is a file or folder that a merge is made of.
type input struct{ what, ref, place string }

// inputs are the models and the files of statistics.
func (o *opened) inputs() []input {
	var list []input
	for _, m := range o.read() {
		list = append(list, input{"model", m.ref, m.place()})
	}
	for _, f := range o.statistics {
		list = append(list, input{f.kind.Name + " file", f.ref, f.path})
	}
	return list
}

// sayForeign says which files of statistics were made of another model than the one
// they stand beside.
func (o *opened) sayForeign(ctx context.Context, v *voice) error {
	if len(o.statistics) == 0 {
		return nil
	}
	digests, err := o.digests(ctx)
	if err != nil {
		return err
	}
	for _, f := range o.statistics {
		if of := f.checkpoint.Metadata()[madeOf]; of != "" && digests[f.model] != "" && of != digests[f.model] {
			v.say("the %s file %s was made of another model than %s, or of what that was before: %s makes it anew", f.kind.Name, f.ref, f.model, f.kind.Command)
		}
	}
	return nil
}
