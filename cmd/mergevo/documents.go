package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
)

// visitor looks at an open document of a file; it may not keep what it gets.
type visitor func(r *recipes.Recipe, op *opened) error

// lookInto opens the documents of a file in turn, for what reads no weight. What a named
// one makes is promised to those that read it; the last is what the file is for.
func lookInto(c *cobra.Command, file, allowMissing string, offline bool, visit func(r *recipes.Recipe, op *opened, last bool) error) error {
	missing, err := parseMissing(allowMissing)
	if err != nil {
		return err
	}
	docs, err := readDocuments(file)
	if err != nil {
		return err
	}
	named, last := split(docs)
	how := opening{missing: missing, dir: filepath.Dir(file), hub: headersOnly(c, offline)}
	how.steps, err = promises(c.Context(), named, how, func(r *recipes.Recipe, op *opened) error { return visit(r, op, false) })
	if err != nil {
		return err
	}
	op, err := openModels(c.Context(), last, how)
	if err != nil {
		return err
	}
	defer op.close()
	return visit(last, op, true)
}

// split parts the documents of a file into the named ones and what the file is for.
func split(docs []*recipes.Recipe) (named []*recipes.Recipe, last *recipes.Recipe) {
	return docs[:len(docs)-1], docs[len(docs)-1]
}

// promises opens the named documents of a file in turn, and returns what they will make.
func promises(ctx context.Context, named []*recipes.Recipe, how opening, visit visitor) ([]*model, error) {
	how.steps = nil
	for _, r := range named {
		op, err := openModels(ctx, r, how)
		if err != nil {
			return nil, err
		}
		var step *model
		if err = visit(r, op); err == nil {
			step, err = op.promise()
		}
		op.close()
		if err != nil {
			return nil, err
		}
		how.steps = append(how.steps, step)
	}
	return how.steps, nil
}

// promise is the model that a document will make.
func (o *opened) promise() (*model, error) {
	if err := o.refuseAdapters("a document that others read"); err != nil {
		return nil, err
	}
	m, err := mergeOf(o)
	if err != nil {
		return nil, err
	}
	name := o.recipe.Name()
	step := &model{ref: name, folder: o.donor().folder, tokenizer: o.donor().tokenizer,
		source: &promised{name, merge.Layout(m.spec, o.parents)}}
	if o.vocabulary != nil {
		step.tokenizer, err = o.vocabulary.Tokenizer(name)
	}
	return step, err
}

// promised are the tensors of a model that is not made yet.
type promised struct {
	name  string
	infos []tensors.Info
}

func (p *promised) Path() string            { return p.name }
func (p *promised) Tensors() []tensors.Info { return p.infos }

func (p *promised) Lookup(name string) (tensors.Info, bool) {
	for _, t := range p.infos {
		if t.Name == name {
			return t, true
		}
	}
	return tensors.Info{}, false
}

func (p *promised) ReadAt([]float32, string, int) error {
	return fmt.Errorf("%s is not merged yet", p.name)
}

func (p *promised) Stored(string, int, int, func([]byte) error) error {
	return fmt.Errorf("%s is not merged yet", p.name)
}

// stepMerge says how the named documents of a file are merged.
type stepMerge struct {
	dir       string // of what they make
	backend   string
	nonfinite bool
}

// stepMark is the file in what a document made that says of what, to its bits.
const stepMark = ".mergevo_step"

// steps merges the named documents of a file, in their order, and returns what they
// made. What is there from an interrupted merge of the same is kept.
func (s stepMerge) steps(c *cobra.Command, v *voice, named []*recipes.Recipe, how opening) ([]*model, error) {
	var made []*model
	for _, r := range named {
		how.steps = made
		path := filepath.Join(s.dir, fmt.Sprint(len(made)))
		if err := s.step(c, v, r, path, how); err != nil {
			return nil, fmt.Errorf("document %s: %w", r.Name(), err)
		}
		made = append(made, &model{ref: r.Name(), at: located{path: path}})
	}
	return made, nil
}

// remove removes what steps made, and their folder if nothing else is in it.
func (s stepMerge) remove(made []*model) error {
	for _, m := range made {
		if err := os.RemoveAll(m.at.path); err != nil {
			return plainPath(err)
		}
	}
	if len(made) > 0 {
		_ = os.Remove(s.dir)
	}
	return nil
}

func (s stepMerge) step(c *cobra.Command, v *voice, r *recipes.Recipe, path string, how opening) error {
	m, err := openMerge(c.Context(), r, how)
	if err != nil {
		return err
	}
	defer m.opened.close()
	m.documents, m.nonfinite, m.step = []*recipes.Recipe{r}, s.nonfinite, true
	if m.backend, err = openBackend(c, s.backend); err != nil {
		return err
	}
	recipe, err := m.kept(path)
	if err != nil {
		return err
	}
	identity, err := m.identity(recipe)
	if err != nil {
		return err
	}
	if was, err := os.ReadFile(filepath.Join(path, stepMark)); err == nil {
		if string(was) == identity {
			v.say("keeping %s, which is merged already", r.Name())
			return nil
		}
		// Made by us of something else, such as a recipe that was changed since.
		if err := os.RemoveAll(path); err != nil {
			return plainPath(err)
		}
	}
	v.say("merging %s", r.Name())
	return m.write(c.Context(), &voice{out: v.err, err: v.err, json: v.json}, path)
}
