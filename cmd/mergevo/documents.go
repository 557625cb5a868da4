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

// documentsPlan is what the documents of a file would write.
type documentsPlan struct {
	notes   []string
	last    *merging // open; of promised models where there are several documents
	between int64    // bytes of what the other documents make
}

func (p *documentsPlan) event(out string) applyEvent {
	e := p.last.event(out)
	e.Between = p.between
	return e
}

// planDocuments checks every document against the headers of its models, those that
// other documents make included. The caller closes the last.
func planDocuments(ctx context.Context, docs []*recipes.Recipe, how opening) (*documentsPlan, error) {
	p := &documentsPlan{}
	for i, r := range docs {
		m, err := openMerge(ctx, r, how)
		if err != nil {
			return nil, err
		}
		notes, err := m.opened.notes()
		if err != nil {
			m.opened.close()
			return nil, err
		}
		p.notes = append(p.notes, notes...)
		if p.last = m; i == len(docs)-1 {
			break
		}
		written, _ := m.bytes()
		p.between += written
		step := &model{ref: r.Name(), folder: m.opened.donor().folder, tokenizer: m.opened.donor().tokenizer,
			source: &promised{r.Name(), merge.Layout(m.spec, m.opened.parents)}}
		if own := m.opened.vocabulary; own != nil {
			if step.tokenizer, err = own.Tokenizer(r.Name()); err != nil {
				return nil, err
			}
		}
		how.steps = append(how.steps, step)
		m.opened.close()
	}
	return p, nil
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

// applySteps merges the named documents of a file, in their order, into a folder
// beside the output, and returns what they made.
func applySteps(c *cobra.Command, v *voice, o applyOptions, docs []*recipes.Recipe, how opening) ([]*model, error) {
	var made []*model
	for _, r := range docs[:len(docs)-1] {
		how.steps = made
		m, err := openMerge(c.Context(), r, how)
		if err != nil {
			return nil, err
		}
		path := filepath.Join(steps(o.out), fmt.Sprint(len(made)))
		m.documents, m.nonfinite = []*recipes.Recipe{r}, o.allowNonfinite
		if m.backend, err = openBackend(c, o.backend); err == nil {
			v.say("merging %s, which %s is made of", r.Name(), o.out)
			err = m.write(c.Context(), &voice{out: v.err, err: v.err, json: v.json}, path)
		}
		m.opened.close()
		if err != nil {
			return nil, fmt.Errorf("document %s: %w", r.Name(), err)
		}
		made = append(made, &model{ref: r.Name(), at: located{path: path}})
	}
	return made, nil
}

func removeSteps(out string) { _ = os.RemoveAll(steps(out)) }
