package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mergevo/mergevo/modeldir"
	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tensors/view"
)

// open opens what a reference names: what another document makes, or a path with
// +adapter or without.
func (how *opening) open(ref string) (*model, error) {
	m := &model{ref: ref}
	if i := slices.IndexFunc(how.steps, func(m *model) bool { return m.ref == ref }); i >= 0 {
		step := how.steps[i]
		if step.path == "" {
			return step, nil // promised
		}
		m.path = step.path
		err := m.read()
		m.path = "" // the document is its place, not the folder it was merged in
		return m.orClosed(err)
	}
	where := ref
	if moved := how.moved[ref]; moved != "" {
		where = moved
	}
	var err error
	if m.path, err = findFile(where, how.dir); err != nil {
		path, adapter, ok := cutLast(where, "+")
		if !ok {
			return nil, fmt.Errorf("%w%s", err, hubHint(ref))
		}
		if m.path, err = findFile(path, how.dir); err != nil {
			return nil, fmt.Errorf("%w%s", err, hubHint(path))
		}
		if m.adapterPath, err = findFile(adapter, how.dir); err != nil {
			return nil, fmt.Errorf("the adapter %s: %w%s", adapter, err, hubHint(adapter))
		}
	}
	m.hub = modeldir.HubReference(m.path)
	return m.orClosed(m.read())
}

// orClosed is the model, closed on an error.
func (m *model) orClosed(err error) (*model, error) {
	if err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// hubHint says what to do about a reference that looks like a model's on the Hub.
func hubHint(ref string) string {
	org, name, ok := strings.Cut(ref, "/")
	if !ok || org == "." || org == ".." || strings.Contains(name, "/") || filepath.Ext(name) != "" {
		return ""
	}
	return "\nhint: models are not fetched from the Hub: download it and write its path"
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
	if m.checkpoint, err = tensors.Open(m.path); err != nil {
		return err
	}
	m.source = m.checkpoint
	if m.folder, err = modeldir.Open(m.checkpoint.Dir()); err != nil {
		return err
	}
	if m.adapterPath == "" {
		return nil
	}
	if m.adapter, err = view.OpenAdapter(m.adapterPath); err != nil {
		return err
	}
	m.source, err = m.adapter.On(m.source)
	return err
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

func plainPath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return fmt.Errorf("%s: %w", p.Path, p.Err)
	}
	return err
}
