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

	"github.com/mergevo/mergevo/modeldir"
	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tensors/view"
)

// open opens what a reference names: what another document makes, a path, or a
// model on the Hub; each with +adapter or without.
func (how *opening) open(ctx context.Context, ref string) (*model, error) {
	if i := slices.IndexFunc(how.steps, func(m *model) bool { return m.ref == ref }); i >= 0 {
		return how.steps[i].again()
	}
	m := &model{ref: ref}
	lora := ""
	path := how.moved[ref]
	if path != "" {
		path, lora, _ = strings.Cut(path, "+")
	} else {
		var err error
		if path, m.hub, err = how.find(ctx, ref); err != nil {
			model, adapter, ok := cutLast(ref, "+")
			if !ok {
				return nil, err
			}
			if path, m.hub, err = how.find(ctx, model); err != nil {
				return nil, err
			}
			if lora, _, err = how.find(ctx, adapter); err != nil {
				return nil, fmt.Errorf("the adapter %s: %w", adapter, err)
			}
		}
	}
	m.path, m.adapterPath = path, lora
	if err := m.read(); err != nil {
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

// again opens what a document made once more, since every recipe closes its models.
func (m *model) again() (*model, error) {
	if m.checkpoint == nil {
		return m, nil
	}
	n := &model{ref: m.ref, path: m.path}
	if err := n.read(); err != nil {
		n.close()
		return nil, err
	}
	n.path = "" // the document is its place, not the folder it was merged in
	return n, nil
}

// find resolves a reference without an adapter to a path, and to org/name@commit if
// it comes from the Hub.
func (how *opening) find(ctx context.Context, ref string) (path, hub string, err error) {
	path, err = findFile(ref, how.dir)
	if err == nil {
		return path, modeldir.HubReference(path), nil
	}
	if fetched, commit, ok, hubErr := how.fetch(ctx, ref); ok {
		return fetched, commit, hubErr
	}
	return "", "", err
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
