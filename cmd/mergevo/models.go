package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/mergevo/mergevo/adapters"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/modeldir"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tensors/view"
	"github.com/mergevo/mergevo/tokenizers"
)

// opened is a recipe with its models open and found to fit together: everything
// that headers can tell.
type opened struct {
	recipe  *recipes.Recipe
	layout  *recipes.Arrangement
	family  *recipes.Family
	parents *merge.Parents
	models  []*model // as [recipes.Recipe.Models] lists them
	// adapters are the models where they are adapters without a model, else nil.
	adapters *adapters.Set
	// statistics are the files that describe the models' data.
	statistics []*statisticFile
	// aligned are the models as they were before their units moved, nil where none do.
	aligned *aligned
	// vocabulary is what a tokenizer of the recipe's own makes, nil without one.
	vocabulary *tokenizers.Union
	missing    merge.Missing
	// onto is the model that a recipe's adapters are put on to be scored, nil where its
	// models are none; products say what of it is added to.
	onto     *model
	products map[string]*tensors.Product
	// temporary is the folder of networks that an init block makes, "" where they have
	// a place of their own or there are none.
	temporary string
	// made is the folder of what other documents of the file make, "" where it is another's
	// to remove, or there are none.
	made string
}

// model is one of a recipe's models, open.
type model struct {
	ref  string
	at   located // its path is "" for what a document makes
	lora located // its path is "" without an adapter

	checkpoint *tensors.Checkpoint // nil for what a document makes
	adapter    *view.Adapter       // nil without one
	source     tensors.Source      // with the adapter, and with a tied head under its name
	folder     *modeldir.Folder
	// change is what the model is where it is an adapter without a model; its checkpoint
	// is the adapter's.
	change *view.Adapter
	// tokenizer is that of a model that is not merged yet, nil for its folder's.
	tokenizer *tokenizers.Tokenizer
}

// opening is how models are opened.
type opening struct {
	missing merge.Missing
	dir     string            // the recipe's folder
	moved   map[string]string // paths of references that moved
	commits map[string]string // what the recipe pins of models on the Hub
	hub     *downloads
	// steps are what the file's other documents make: folders, or without a path what
	// they will be.
	steps []*model
	// unmeasured leaves the files of statistics alone that the recipe names: they are
	// still to be made.
	unmeasured bool
}

func (o *opened) close() {
	for _, m := range o.read() {
		m.close()
	}
	for _, f := range o.statistics {
		_ = f.checkpoint.Close()
	}
	for _, dir := range []string{o.temporary, o.made} {
		if dir != "" {
			_ = os.RemoveAll(dir)
		}
	}
}

func (m *model) close() {
	if m.adapter != nil {
		_ = m.adapter.Close()
	}
	if m.checkpoint != nil {
		_ = m.checkpoint.Close()
	}
}

// openModels resolves and opens a recipe's models, and binds the recipe to them.
func openModels(ctx context.Context, r *recipes.Recipe, how opening) (_ *opened, err error) {
	o := &opened{recipe: r, missing: how.missing}
	how.commits = r.Commits()
	defer func() {
		if err != nil {
			o.close()
		}
	}()
	if r.Init != nil && how.moved == nil {
		if o.temporary, err = os.MkdirTemp("", "mergevo-init-"); err != nil {
			return nil, err
		}
		if how.moved, err = newborn(r, o.temporary); err != nil {
			return nil, err
		}
	}
	var problems []error
	for _, ref := range r.Models() {
		m, err := how.open(ctx, ref)
		if err == nil {
			if i := slices.IndexFunc(o.models, m.same); i >= 0 {
				err = fmt.Errorf("it is %s, which the recipe lists already", o.models[i].ref)
				m.close()
			}
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("model %s: %w", ref, err))
			continue
		}
		o.models = append(o.models, m)
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	if err := o.joinAdapters(ctx, how); err != nil {
		return nil, err
	}
	if err := o.shareHeads(); err != nil {
		return nil, err
	}
	if err := o.shareVocabulary(); err != nil {
		return nil, err
	}
	if err := o.align(); err != nil {
		return nil, err
	}
	if err := o.bind(); err != nil {
		return nil, err
	}
	if how.unmeasured {
		return o, nil
	}
	return o, o.attach(how)
}

// hollow reports whether weights of a model from the Hub are not here yet, or networks
// not where they stay.
func (o *opened) hollow() bool {
	return o.temporary != "" || slices.ContainsFunc(o.read(), func(m *model) bool { return m.at.hollow || m.lora.hollow })
}

func (m *model) same(other *model) bool {
	return m.at.path != "" && m.at.path == other.at.path && m.lora.path == other.lora.path
}

// bind arranges the tensors, checks that they fit, and binds the recipe to them.
func (o *opened) bind() (err error) {
	have := map[string][]tensors.Info{}
	by := map[string]*model{}
	for _, m := range o.models {
		have[m.ref], by[m.ref] = m.source.Tensors(), m
	}
	if o.layout, err = o.recipe.Arrange(have); err != nil {
		return err
	}
	var names []string
	var sources []tensors.Source
	var parts []int
	for _, p := range o.layout.Parents {
		src := by[p.Ref].source
		if p.Names != nil {
			if src, err = view.Rename(src, src.Path(), p.Names); err != nil {
				return err
			}
		}
		names, sources, parts = append(names, p.Ref), append(sources, src), append(parts, p.Slice)
	}
	if o.parents, err = merge.NewParents(names, sources, parts, o.missing, o.recipe.DType() != 0); err != nil {
		return o.vocabularyHint(err)
	}
	if err := o.oneVocabulary(); err != nil {
		return err
	}
	o.family, err = o.layout.Bind(o.parents.Merged())
	return err
}

// donor is the model whose configuration and tokenizer the output gets: the base,
// else the first.
func (o *opened) donor() *model { return o.listed()[0] }

// relocated is a recipe for a file in dir: its models' paths are relative to that,
// as long as they are on the same volume. Models from the Hub keep their names.
func relocated(r *recipes.Recipe, o *opened, dir string) (*recipes.Recipe, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	at := map[string]string{}
	for _, m := range o.read() {
		at[m.ref] = m.elsewhere(abs)
	}
	for _, f := range o.statistics {
		at[f.ref] = from(abs, f.path)
	}
	moved := *r
	return &moved, moved.Relocate(func(ref string) string {
		if to, ok := at[ref]; ok {
			return to
		}
		return ref // what a provenance names besides: networks that the search made
	})
}

// from is a path as it is written in a folder.
func from(dir, path string) string {
	if rel, err := filepath.Rel(dir, path); err == nil {
		return filepath.ToSlash(rel)
	}
	return path
}

// digests computes the content digest of every model and file of statistics, by
// reference; adapters count.
func (o *opened) digests(ctx context.Context) (map[string]string, error) {
	cache := tensors.UserDigestCache()
	models := o.read()
	sums, described := make([]string, len(models)), make([]string, len(o.statistics))
	group, ctx := errgroup.WithContext(ctx)
	for i, f := range o.statistics {
		group.Go(func() (err error) {
			described[i], err = cache.Digest(ctx, f.checkpoint)
			return err
		})
	}
	for i, m := range models {
		if m.checkpoint == nil {
			continue
		}
		group.Go(func() (err error) {
			if sums[i], err = cache.Digest(ctx, m.checkpoint); err != nil {
				return fmt.Errorf("model %s: %w", m.ref, err)
			}
			if m.adapter == nil {
				return nil
			}
			d, err := cache.Digest(ctx, m.adapter.Weights())
			sums[i] += "+" + d
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	out := map[string]string{}
	for i, m := range models {
		if sums[i] != "" {
			out[m.ref] = sums[i]
		}
	}
	for i, f := range o.statistics {
		out[f.ref] = described[i]
	}
	return out, nil
}

// warnings are what makes the models look as if they did not belong together.
func (o *opened) warnings() []string {
	var folders []*modeldir.Folder
	var names []string
	base := -1
	for i, m := range o.models {
		folders, names = append(folders, m.folder), append(names, m.ref)
		if m.ref == o.recipe.Base() {
			base = i
		}
	}
	return modeldir.Warnings(folders, names, base, o.vocabulary != nil)
}

// notes are a recipe's notes, in what it differs from mergekit, and the models'
// warnings.
func (o *opened) notes() ([]string, error) {
	differs, err := o.family.Deviations()
	if err != nil {
		return nil, err
	}
	if o.recipe.Base() == "" && o.recipe.Init == nil && len(o.models) > 1 && o.donor().folder.HasConfig() {
		differs = append(differs, fmt.Sprintf("config.json and the tokenizer come from %s, the first model; a base_model would decide", o.donor().ref))
	}
	if o.vocabulary != nil {
		differs = append(differs, o.vocabulary.Notes...)
	}
	return slices.Concat(o.recipe.Notes(), costs(o.recipe), differs, o.leftOut(), o.misfits(), o.warnings()), nil
}

// say says the notes.
func (o *opened) say(v *voice) error {
	notes, err := o.notes()
	for _, n := range notes {
		v.say("%s", n)
	}
	return err
}

// strayed is how far from the base, in norms of the base, a model is taken for no
// fine-tune of it.
const strayed = 0.9

// sayStrangers says which models lie far from the base; a few numbers of each tensor
// are read.
func (o *opened) sayStrangers(ctx context.Context, v *voice, spec *merge.Spec) error {
	if err := o.sayForeign(ctx, v); err != nil {
		return err
	}
	far, err := merge.Distances(spec, o.parents)
	for _, m := range o.models {
		if d := far[m.ref]; d > strayed {
			v.say("%s lies %.2g times the base's norm away from it, as a model of another origin does: is %s its base?", m.ref, d, o.recipe.Base())
		}
	}
	return err
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
