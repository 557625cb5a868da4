package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/mergevo/mergevo/internal/xla"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/modeldir"
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
	restart   bool     // whatever an interrupted merge left
	args      []string // flags that change what is written
	step      bool     // it is a document's that others read
}

// mergeOf is the merge of open models by a recipe without holes.
func mergeOf(op *opened) (*merging, error) {
	if r := op.recipe; r.HasHoles() {
		what := "the recipe"
		if r.Name() != "" {
			what = "the document " + r.Name()
		}
		return nil, usage(fmt.Errorf("%s has holes; mergevo search fills those of a file's last document", what))
	}
	spec, err := op.family.Spec(nil)
	if err == nil {
		err = spec.Check(op.parents)
	}
	m := &merging{opened: op, spec: spec}
	if err == nil {
		err = m.checkAdapters()
	}
	return m, err
}

// openMerge opens the models of a recipe without holes.
func openMerge(ctx context.Context, r *recipes.Recipe, how opening) (*merging, error) {
	op, err := openModels(ctx, r, how)
	if err != nil {
		return nil, err
	}
	m, err := mergeOf(op)
	if err != nil {
		op.close()
		return nil, err
	}
	return m, nil
}

// bytes returns the size of the tensors written, and of those read for them.
func (m *merging) bytes() (written, read int64) {
	return bytesOf(merge.Layout(m.spec, m.opened.parents)), m.opened.parents.Bytes()
}

// write streams the merge into a folder that appears when it is complete.
func (m *merging) write(ctx context.Context, v *voice, out string) error {
	if m.opened.adapters != nil {
		return m.writeAdapter(ctx, v, out)
	}
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
	if err := m.opened.orders(ctx, v); err != nil {
		return err
	}
	if err := m.opened.sayStrangers(ctx, v, m.spec); err != nil {
		return err
	}
	identity, err := m.identity(recipe)
	if err != nil {
		return err
	}
	if m.step {
		files = append(files, modeldir.File{Name: stepMark, Data: []byte(identity)})
	}
	w, err := tensors.Create(out, merge.Layout(m.spec, m.opened.parents), tensors.Options{
		ShardSize: m.shard, Metadata: map[string]string{"mergevo_recipe": string(recipe)}, Identity: identity, Restart: m.restart,
	})
	if errors.Is(err, tensors.ErrPartial) {
		return fmt.Errorf("%w\nhint: --restart begins anew", err)
	}
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
	if w.Kept() > 0 {
		v.say("continuing: %s of %s are there already", size(w.Kept()), size(total))
	}
	progress := newBar(v.err, total, w.Kept(), size, v.json)
	defer progress.finish()
	rates := &rates{began: time.Now(), written: w.Kept()}
	rates.from = rates.written
	var mu sync.Mutex
	err = merge.Apply(ctx, m.backend.Backend, m.spec, m.opened.parents, w, merge.ApplyOptions{
		AllowNonfinite: m.nonfinite,
		Progress: func(tensor string, read, written int64) {
			mu.Lock()
			defer mu.Unlock()
			rates.add(read, written)
			progress.set(rates.written, rates.String()+", "+tensor)
		},
	})
	if err == nil {
		err = ctx.Err()
	}
	if errors.Is(err, context.Canceled) {
		w.Close() // says then what stayed
		how := "nothing is left of it"
		if shards, bytes := w.Finished(); shards > 0 {
			how = fmt.Sprintf("%s (%s) stay in %s, and the same command continues with them", count(shards, "finished file"), size(bytes), out+".partial")
		}
		return coded{errInterrupted, fmt.Errorf("interrupted; %s does not exist; %s", out, how)}
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

// identity says what is written, to its bits: the recipe, the models as they are now,
// and what computes them.
func (m *merging) identity(recipe []byte) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%q\n", fullVersion(), m.backend.Kind, m.args)
	h.Write(recipe)
	for _, p := range m.opened.read() {
		for _, c := range p.checkpoints() {
			state, err := c.State()
			if err != nil {
				return "", err
			}
			fmt.Fprintf(h, "%q %s\n", p.ref, state)
		}
	}
	for _, f := range m.opened.statistics {
		state, err := f.checkpoint.State()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%q %s\n", f.ref, state)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// rates count what a merge has read and written.
type rates struct {
	began               time.Time
	read, written, from int64
}

func (r *rates) add(read, written int64) {
	r.read += read
	r.written += written
}

// String is the two rates, in bytes a second since the merge began.
func (r *rates) String() string {
	s := max(time.Since(r.began).Seconds(), 1e-3)
	return fmt.Sprintf("reading %s/s, writing %s/s", size(int64(float64(r.read)/s)), size(int64(float64(r.written-r.from)/s)))
}

func (m *merging) event(out string) applyEvent {
	e := applyEvent{Out: out, Planned: true, Tensors: len(merge.Layout(m.spec, m.opened.parents))}
	if m.opened.adapters != nil {
		e.Tensors, e.Adapter = m.opened.adapters.Modules(), true
		return e
	}
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
		if err == nil {
			err = m.opened.pinCommits(moved)
		}
		if err != nil {
			return nil, err
		}
		text.Write(moved.Marshal())
	}
	return text.Bytes(), nil
}

// steps is the folder of what a file's named documents make, beside the output.
func steps(out string) string { return filepath.Clean(out) + ".steps" }
