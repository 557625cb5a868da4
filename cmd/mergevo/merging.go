package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/mergevo/mergevo/internal/xla"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
)

// merging is one merge, from its open models to a folder.
type merging struct {
	opened    *opened
	spec      *merge.Spec
	documents []*recipes.Recipe // of the file; the last is this merge's
	backend   *xla.Backend
	shard     int64 // bytes of the largest file; 0 writes one
	nonfinite bool
	args      []string // flags that change what is written
}

// openMerge opens the models of a recipe without holes.
func openMerge(ctx context.Context, r *recipes.Recipe, how opening) (*merging, error) {
	op, err := openModels(ctx, r, how)
	if err != nil {
		return nil, err
	}
	spec, err := op.family.Spec(nil)
	if err != nil {
		op.close()
		return nil, err
	}
	return &merging{opened: op, spec: spec}, nil
}

// bytes returns the size of the tensors written, and of those read for them.
func (m *merging) bytes() (written, read int64) {
	for _, t := range merge.Layout(m.spec, m.opened.parents) {
		written += t.Bytes()
	}
	return written, m.opened.parents.Bytes()
}

// write streams the merge into a folder that appears when it is complete.
func (m *merging) write(ctx context.Context, v *voice, out string) error {
	began := time.Now()
	recipe, err := m.kept(out)
	if err != nil {
		return err
	}
	files, notes, err := m.files(ctx, out, recipe)
	if err != nil {
		return err
	}
	for _, n := range notes {
		v.say("%s", n)
	}
	w, err := tensors.Create(out, merge.Layout(m.spec, m.opened.parents), tensors.Options{
		ShardSize: m.shard, Metadata: map[string]string{"mergevo_recipe": string(recipe)},
	})
	if err != nil {
		return err
	}
	defer w.Close()
	for _, f := range files {
		if err := w.AddFile(f.Name, f.Data); err != nil {
			return err
		}
	}
	total, _ := m.bytes()
	progress := newBar(v.err, total, 0, size, v.json)
	defer progress.finish()
	var mu sync.Mutex
	var written int64
	err = merge.Apply(ctx, m.backend.Backend, m.spec, m.opened.parents, w, merge.ApplyOptions{
		AllowNonfinite: m.nonfinite,
		Progress: func(tensor string, n int64) {
			mu.Lock()
			defer mu.Unlock()
			written += n
			progress.set(written, tensor)
		},
	})
	if err == nil {
		err = ctx.Err()
	}
	if errors.Is(err, context.Canceled) {
		return coded{errInterrupted, fmt.Errorf("interrupted; nothing was written to %s", out)}
	}
	if err != nil {
		return err
	}
	if err := w.Commit(); err != nil {
		return err
	}
	progress.finish()
	e := m.event(out)
	e.Planned, e.Seconds = false, time.Since(began).Seconds()
	return v.tell(e)
}

func (m *merging) event(out string) applyEvent {
	e := applyEvent{Out: out, Planned: true, Tensors: len(merge.Layout(m.spec, m.opened.parents))}
	e.Bytes, _ = m.bytes()
	return e
}

// kept is the recipe as the output keeps it: its paths are read from there. The
// documents that it builds on come first.
func (m *merging) kept(out string) ([]byte, error) {
	var text bytes.Buffer
	for i, r := range m.documents {
		if i < len(m.documents)-1 {
			// The models of other documents are not open here; their paths are those
			// of the file that is being applied.
			text.Write(r.Marshal())
			text.WriteString("---\n")
			continue
		}
		moved, err := relocated(r, m.opened, out)
		if err != nil {
			return nil, err
		}
		text.Write(moved.Marshal())
	}
	return text.Bytes(), nil
}

// steps is the folder of what a file's named documents make, beside the output.
func steps(out string) string { return filepath.Clean(out) + ".steps" }
