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

	"github.com/mergevo/mergevo/adapters"
	"github.com/mergevo/mergevo/hub"
	"github.com/mergevo/mergevo/modeldir"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tensors/view"
)

// open opens what a reference names: what another document makes, or a model with
// +adapter or without.
func (how *opening) open(ctx context.Context, ref string) (*model, error) {
	m := &model{ref: ref}
	if ref == recipes.NoChange {
		return m, nil // once the adapters are there that it is the base of
	}
	where := ref
	if moved := how.moved[ref]; moved != "" {
		where = moved
	}
	path, adapter, split := cutLast(where, "+")
	// A folder and a document may have a + in their names.
	if _, err := findFile(where, how.dir); err == nil || !split || how.step(where) != nil {
		path, adapter = where, ""
	}
	if adapter != "" {
		var err error
		if m.lora, err = how.locate(ctx, adapter); err != nil {
			return nil, fmt.Errorf("the adapter %s: %w", adapter, err)
		}
	}
	if step := how.step(path); step != nil {
		return m.orClosed(m.readStep(step))
	}
	var err error
	if m.at, err = how.locate(ctx, path); err != nil {
		return nil, err
	}
	return m.orClosed(m.read())
}

// step is what a document of that name makes, nil without one.
func (how *opening) step(name string) *model {
	if i := slices.IndexFunc(how.steps, func(m *model) bool { return m.ref == name }); i >= 0 {
		return how.steps[i]
	}
	return nil
}

// readStep opens what a document made, or what it promises to make.
func (m *model) readStep(step *model) error {
	if step.at.path == "" {
		m.source, m.folder, m.tokenizer = step.source, step.folder, step.tokenizer
		return m.adapt()
	}
	m.at = step.at
	err := m.read()
	m.at = located{} // the document is its place, not the folder it was merged in
	return err
}

// located is where a part of a reference leads.
type located struct {
	path   string  // absolute; "" for nothing
	hub    hub.Ref // with its commit; zero for what is not from the Hub
	hollow bool    // the weights are not here, their headers alone
}

// locate finds a model or an adapter: a path, else one on the Hub.
func (how *opening) locate(ctx context.Context, ref string) (located, error) {
	path, err := findFile(ref, how.dir)
	if err == nil {
		from, _ := hub.Cached(path)
		return located{path: path, hub: from}, nil
	}
	id, ok := hub.ParseRef(ref)
	if !errors.Is(err, errNoFile) || !ok {
		return located{}, err
	}
	if id.Revision == "" {
		id.Revision = how.commits[ref]
	}
	at, hubErr := how.hub.bring(ctx, id)
	if hubErr != nil {
		return at, fmt.Errorf("%w, and from the Hub: %w", err, hubErr)
	}
	return at, nil
}

// parts are what the reference calls the model and its adapter, "" without one.
func (m *model) parts() (base, adapter string) {
	if m.lora.path == "" {
		return m.ref, ""
	}
	base, adapter, _ = cutLast(m.ref, "+")
	return base, adapter
}

// elsewhere is how a recipe in another folder, given absolute, refers to the model.
func (m *model) elsewhere(dir string) string {
	base, adapter := m.parts()
	to := m.at.elsewhere(base, dir)
	if adapter != "" {
		to += "+" + m.lora.elsewhere(adapter, dir)
	}
	return to
}

func (l located) elsewhere(ref, dir string) string {
	if _, ok := hub.ParseRef(ref); ok && l.hub.ID != "" || l.path == "" {
		return ref
	}
	return from(dir, l.path)
}

// orClosed is the model, closed on an error.
func (m *model) orClosed(err error) (*model, error) {
	if err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// cutLast splits at the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// read opens the files of a model whose path is known.
func (m *model) read() (err error) {
	if m.checkpoint, err = tensors.Open(m.at.path); err != nil {
		if _, peft := os.Stat(filepath.Join(m.at.path, adapters.ConfigName)); peft == nil {
			_, err = view.OpenAdapter(m.at.path) // says what else is wrong
		}
		return err
	}
	if view.AreAdapter(m.checkpoint.Tensors()) {
		return m.readChange()
	}
	m.source = m.checkpoint
	if m.folder, err = modeldir.Open(m.checkpoint.Dir()); err != nil {
		return err
	}
	return m.adapt()
}

// adapt adds the adapter, if there is one.
func (m *model) adapt() (err error) {
	if m.lora.path == "" {
		return nil
	}
	if m.adapter, err = view.OpenAdapter(m.lora.path); err != nil {
		return err
	}
	m.source, err = m.adapter.On(m.source)
	return err
}

// errNoFile is wrapped by findFile where there is nothing.
var errNoFile = errors.New("no such file or folder")

// findFile resolves a path named in a recipe: beside the recipe, else under the
// working directory. Two different files are an error that names both.
func findFile(ref, dir string) (string, error) {
	if filepath.IsAbs(ref) {
		_, err := os.Stat(ref)
		if errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("%w: %s", errNoFile, ref)
		}
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
			return "", fmt.Errorf("%w: %s", errNoFile, here)
		}
		return "", fmt.Errorf("%w: neither %s nor %s", errNoFile, beside, here)
	}
	return "", plainPath(errA)
}

func plainPath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return fmt.Errorf("%s: %w", p.Path, p.Err)
	}
	return err
}

// checkpoints are the files that a model is read from.
func (m *model) checkpoints() (list []*tensors.Checkpoint) {
	if m.checkpoint != nil {
		list = append(list, m.checkpoint)
	}
	if m.adapter != nil {
		list = append(list, m.adapter.Weights())
	}
	return list
}
