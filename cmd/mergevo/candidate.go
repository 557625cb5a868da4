package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/internal/xla"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// writeCandidate writes a candidate into a folder as apply writes what is found, but for
// the recipe. A merge that cannot be is the candidate's failure; a full disk is not.
func (o *opened) writeCandidate(ctx context.Context, b *xla.Backend, s *merge.Spec, dir string) error {
	err := o.write(ctx, b, s, dir)
	_, path := errors.AsType[*fs.PathError](err)
	_, link := errors.AsType[*os.LinkError](err)
	_, system := errors.AsType[syscall.Errno](err)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case path || link || system || errors.Is(err, tensors.ErrNoSpace):
		return fmt.Errorf("writing a candidate for a program: %w", err)
	}
	return evaluate.Failed("writing it: %w", err)
}

func (o *opened) write(ctx context.Context, b *xla.Backend, s *merge.Spec, dir string) error {
	m := &merging{opened: o, spec: s, backend: b}
	files, _, err := m.files(ctx, dir, nil)
	if err != nil {
		return err
	}
	w, err := tensors.Create(dir, merge.Layout(s, o.parents), tensors.Options{ShardSize: candidateShard})
	if err != nil {
		return err
	}
	defer w.Close()
	for _, f := range files {
		if err := w.AddFile(f.Name, f.Data); err != nil {
			return err
		}
	}
	if s.Given() {
		err = o.writeGiven(s, w)
	} else {
		err = merge.Apply(ctx, b.Backend, s, o.parents, w, merge.ApplyOptions{})
	}
	if err != nil {
		return err
	}
	return w.Commit()
}

// candidateShard is apply's own largest file.
const candidateShard = 5e9

// writeGiven writes a network that has weights of its own.
func (o *opened) writeGiven(s *merge.Spec, w *tensors.Writer) error {
	for _, t := range o.parents.Merged() {
		global, _ := s.Params(t.Name)
		if err := w.WriteAt(global.Weights, t.Name, 0); err != nil {
			return err
		}
	}
	return nil
}

// writeTokenizer writes all that candidates have besides weights into a folder.
func (o *opened) writeTokenizer(dir string) error {
	m := &merging{opened: o, spec: o.plain()}
	files, _, err := m.files(context.Background(), dir, nil)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return plainPath(err)
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
			return plainPath(err)
		}
	}
	return nil
}

// plain is a merge that keeps every type: what candidates' files say of the merge itself
// matters to no tokenizer.
func (o *opened) plain() *merge.Spec {
	return constant("linear", merge.Part{Base: -1, Inputs: []int{0}}, []float64{1}, nil, &merge.Spec{})
}
