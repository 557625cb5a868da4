package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// checkpoints is evolution as it is done with a merge tool and an evaluation tool:
// each candidate is written, opened, uploaded, scored and removed. The forward
// pass is compiled once and only its weights change.
type checkpoints struct {
	subject *subject
	exam    *exam
	dir     string
	forward *graph.Exec // inputs, labels, then each merged tensor
	merging *graph.Exec // of writeCompiled
}

func newCheckpoints(s *subject, e *exam, dir string) (_ *checkpoints, err error) {
	c := &checkpoints{subject: s, exam: e, dir: dir}
	infos := s.parents.Merged()
	c.forward, err = graph.NewExec(s.backend.Backend, func(args []*graph.Node) []*graph.Node {
		weights := map[string]*graph.Node{}
		for i, t := range infos {
			weights[t.Name] = graph.InsertAxes(graph.ConvertDType(args[2+i], dtypes.Float32), 0)
		}
		return e.population(func(name string) *graph.Node { return weights[name] }, args[0], args[1], 1)
	})
	if err != nil {
		return nil, err
	}
	kind := s.pop.Kind(s.specs[0])
	c.merging, err = graph.NewExec(s.backend.Backend, func(args []*graph.Node) []*graph.Node {
		weights := kind.Weights(args[0], args[1], args[2:])
		var out []*graph.Node
		for _, t := range infos {
			out = append(out, weights(t.Name))
		}
		return out
	})
	return c, err
}

func (c *checkpoints) finalize() {
	c.forward.Finalize()
	c.merging.Finalize()
}

// writer puts the merged tensors of one candidate into a file.
type writer func(ctx context.Context, spec *merge.Spec, w *tensors.Writer) error

// apply merges as `mergevo apply` does, which compiles for each model it writes.
func (c *checkpoints) apply(ctx context.Context, spec *merge.Spec, w *tensors.Writer) error {
	return merge.Apply(ctx, c.subject.backend.Backend, spec, c.subject.parents, w, merge.ApplyOptions{})
}

// compiled merges resident parents by a graph that is compiled once: the best that
// a tool can do which still writes its candidates. It writes float32 only.
func (c *checkpoints) compiled(ctx context.Context, spec *merge.Spec, w *tensors.Writer) error {
	kind := c.subject.pop.Kind(spec)
	f, u, errs := kind.Coefs([]*merge.Spec{spec})
	if errs[0] != nil {
		return errs[0]
	}
	stored, err := kind.Resident(ctx)
	if err != nil {
		return err
	}
	args := []any{f, u}
	for _, t := range stored {
		args = append(args, t)
	}
	out, err := c.merging.Call(args...)
	if err != nil {
		return err
	}
	defer func() {
		for _, t := range append(out, f, u) {
			_ = t.FinalizeAll()
		}
	}()
	for i, t := range c.subject.parents.Merged() {
		var writeErr error
		err := out[i].ConstBytes(func(b []byte) { writeErr = w.WriteBytes(t.Name, 0, b) })
		if err := errors.Join(err, writeErr); err != nil {
			return err
		}
	}
	return nil
}

// float32 reports whether all merged tensors are written as float32.
func (c *checkpoints) float32() bool {
	for _, t := range merge.Layout(c.subject.specs[0], c.subject.parents) {
		if t.DType != tensors.F32 {
			return false
		}
	}
	return true
}

// score writes and scores all candidates, one after the other.
func (c *checkpoints) score(ctx context.Context, write writer) ([][]float64, error) {
	var marks [][]float64
	for i, spec := range c.subject.specs {
		file := filepath.Join(c.dir, fmt.Sprintf("candidate-%d.safetensors", i))
		m, err := c.one(ctx, spec, file, write)
		if err != nil {
			return nil, fmt.Errorf("candidate %d: %w", i, err)
		}
		if err := os.Remove(file); err != nil {
			return nil, err
		}
		marks = append(marks, m)
	}
	return marks, nil
}

func (c *checkpoints) one(ctx context.Context, spec *merge.Spec, file string, write writer) ([]float64, error) {
	w, err := tensors.Create("", merge.Layout(spec, c.subject.parents), tensors.Options{Single: file})
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if err := write(ctx, spec, w); err != nil {
		return nil, err
	}
	if err := w.Commit(); err != nil {
		return nil, err
	}
	model, err := tensors.Open(file)
	if err != nil {
		return nil, err
	}
	defer model.Close()
	args, err := c.upload(model)
	defer func() {
		for _, a := range args {
			_ = a.(*gmlx.Tensor).FinalizeAll()
		}
	}()
	if err != nil {
		return nil, err
	}
	marks, err := c.exam.run(c.forward, 1, args)
	if err != nil {
		return nil, err
	}
	return marks[0], nil
}

// upload copies a checkpoint's merged tensors to the device as they are stored.
func (c *checkpoints) upload(model *tensors.Checkpoint) (args []any, err error) {
	types := map[tensors.DType]dtypes.DType{tensors.F64: dtypes.Float64, tensors.F32: dtypes.Float32, tensors.F16: dtypes.Float16, tensors.BF16: dtypes.BFloat16}
	for _, t := range c.subject.parents.Merged() {
		info, _ := model.Lookup(t.Name)
		raw, err := model.Raw(t.Name)
		if err != nil {
			return args, err
		}
		x, err := gmlx.FromRaw(c.subject.backend.Backend, 0, shapes.Make(types[info.DType], info.Shape...), raw)
		if err != nil {
			return args, err
		}
		args = append(args, x)
	}
	return args, nil
}

// memoryFolder makes a folder in memory where the system has one, so that no disk
// is measured.
func memoryFolder() (string, error) {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		if dir, err := os.MkdirTemp("/dev/shm", "mergevo-bench-"); err == nil {
			return dir, nil
		}
	}
	return os.MkdirTemp("", "mergevo-bench-")
}
