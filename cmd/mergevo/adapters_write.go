package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/mergevo/mergevo/adapters"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/modeldir"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
)

// cutOf is what a recipe says of the rank of merged adapters.
func cutOf(r *recipes.Recipe) adapters.Cut {
	if r.Adapters == nil {
		return adapters.Cut{}
	}
	return adapters.Cut{Rank: r.Adapters.Rank, Energy: r.Adapters.Energy}
}

// ofFactors reports whether factors are averaged, not products.
func ofFactors(r *recipes.Recipe) bool { return r.Adapters != nil && r.Adapters.Factors }

// checkAdapters refuses merges of adapters that give no adapter.
func (m *merging) checkAdapters() error {
	r, op := m.opened.recipe, m.opened
	if op.adapters == nil {
		return nil
	}
	if len(m.spec.Parts) != 1 || slices.ContainsFunc(op.layout.Parents, func(p recipes.Parent) bool { return p.Names != nil }) {
		return usage(errors.New("adapters are merged under models: they have no slices or modules"))
	}
	if !m.spec.Method.Linear && !ofFactors(r) && cutOf(r).None() {
		return usage(fmt.Errorf("%s of adapters is no product of factors any more, so it must be cut: say adapters: {rank: 32}, or {energy: 0.99}, in the recipe", m.spec.Method.Name))
	}
	return nil
}

// weights are what each adapter's product counts in a tensor, for a method that is a
// weighted sum.
func (m *merging) weights(tensor string) ([]float64, error) {
	c, err := m.spec.Weights(tensor)
	if err != nil {
		return nil, err
	}
	part := m.spec.Parts[0]
	out := make([]float64, len(m.opened.models))
	rest := 1.0
	for k, parent := range part.Inputs {
		out[parent] = c[k]
		rest -= c[k]
	}
	if part.Base >= 0 {
		out[part.Base] = rest
	}
	if m.opened.models[0].ref == recipes.NoChange {
		return out[1:], nil
	}
	return out, nil
}

// writeAdapter writes merged adapters as the first of them is: a PEFT folder, or one
// file.
func (m *merging) writeAdapter(ctx context.Context, v *voice, out string) error {
	began := time.Now()
	recipe, err := m.kept(out)
	if err != nil {
		return err
	}
	set := m.opened.adapters
	single := strings.HasSuffix(out, ".safetensors")
	if single && set.Folder() {
		return usage(fmt.Errorf("--out %s names a file, and the first adapter, %s, is a PEFT folder: name a folder", out, m.opened.donor().ref))
	}
	var sum *adapters.Sum
	var layout []tensors.Info
	if ofFactors(m.opened.recipe) {
		layout = slices.Concat(merge.Layout(m.spec, m.opened.parents), set.Beside())
	} else {
		var undo func()
		if sum, undo, err = m.sum(ctx, out); err != nil {
			return err
		}
		defer undo()
		layout = sum.Layout()
	}
	options := tensors.Options{Metadata: map[string]string{"mergevo_recipe": string(recipe)}, Name: adapters.FileName}
	switch {
	case single:
		options.Single, options.Name = out, ""
	case set.Folder():
		options.Name = adapters.WeightsName
	}
	w, err := tensors.Create(out, layout, options)
	if err != nil {
		return err
	}
	defer w.Close()
	if !single {
		files, err := m.adapterFiles(out, recipe, sum)
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := w.AddFile(f.Name, f.Data); err != nil {
				return err
			}
		}
	}
	progress := newBar(v.err, bytesOf(layout), 0, size, v.json)
	defer progress.finish()
	var done int64
	var kept []adapters.Kept
	if sum != nil {
		kept, err = sum.Write(ctx, w, func(module string, n int64) {
			done += n
			progress.set(done, module)
		})
	} else {
		err = merge.Apply(ctx, m.backend.Backend, m.spec, m.opened.parents, w, merge.ApplyOptions{AllowNonfinite: m.nonfinite})
		if err == nil {
			err = set.WriteBeside(w)
		}
	}
	if err == nil {
		err = ctx.Err()
	}
	if errors.Is(err, context.Canceled) {
		return coded{errInterrupted, fmt.Errorf("interrupted; %s does not exist", out)}
	}
	if err != nil {
		return err
	}
	if err := w.Commit(); err != nil {
		return err
	}
	progress.finish()
	e := adapterEvent{Out: out, Tensors: len(layout), Bytes: bytesOf(layout), Seconds: time.Since(began).Seconds(), Modules: kept}
	e.Energy, e.Error = adapters.Together(kept)
	return v.tell(e)
}

// sum prepares the weighted sum, or the merge by any other method, of whole products
// that are written beside the output until undo.
func (m *merging) sum(ctx context.Context, out string) (_ *adapters.Sum, undo func(), err error) {
	set, cut := m.opened.adapters, cutOf(m.opened.recipe)
	undo = func() {}
	if m.spec.Method.Linear {
		sum, err := set.Sum(ctx, m.weights, cut, m.spec.DType)
		return sum, undo, err
	}
	beside := filepath.Dir(filepath.Clean(out))
	if err := os.MkdirAll(beside, 0o755); err != nil {
		return nil, undo, err
	}
	dir, err := os.MkdirTemp(beside, ".mergevo-products-")
	if err != nil {
		return nil, undo, err
	}
	remove := func() { _ = os.RemoveAll(dir) }
	defer func() {
		if err != nil {
			remove()
		}
	}()
	whole := *m.spec
	whole.DType = tensors.F32 // rounded once, as factors
	path := filepath.Join(dir, "products.safetensors")
	w, err := tensors.Create("", merge.Layout(&whole, m.opened.parents), tensors.Options{Single: path})
	if err != nil {
		return nil, undo, err
	}
	defer w.Close()
	if err := merge.Apply(ctx, m.backend.Backend, &whole, m.opened.parents, w, merge.ApplyOptions{}); err != nil {
		return nil, undo, err
	}
	if err := w.Commit(); err != nil {
		return nil, undo, err
	}
	merged, err := tensors.Open(path)
	if err != nil {
		return nil, undo, err
	}
	undo = func() {
		_ = merged.Close()
		remove()
	}
	sum, err := set.Dense(ctx, merged, cut, m.spec.DType)
	if err != nil {
		_ = merged.Close()
	}
	return sum, undo, err
}

// adapterFiles are what a folder of merged adapters holds besides their tensors.
func (m *merging) adapterFiles(out string, recipe []byte, sum *adapters.Sum) ([]modeldir.File, error) {
	set := m.opened.adapters
	files := []modeldir.File{{Name: "README.md", Data: m.card(out, recipe, false)}, {Name: "mergevo_recipe.yaml", Data: recipe}}
	if !set.Folder() {
		return files, nil
	}
	config, err := set.Config()
	if sum != nil {
		config, err = sum.Config()
	}
	return append(files, modeldir.File{Name: adapters.ConfigName, Data: config}), err
}

// adapterEvent is what was written of an adapter, and what its cut lost.
type adapterEvent struct {
	Out     string          `json:"out"`
	Tensors int             `json:"tensors"`
	Bytes   int64           `json:"bytes"`
	Seconds float64         `json:"seconds"`
	Energy  float64         `json:"energy"`
	Error   float64         `json:"error"`
	Modules []adapters.Kept `json:"modules,omitempty"`
}

func (adapterEvent) name() string { return "adapter" }

func (e adapterEvent) text(out io.Writer) {
	fmt.Fprintf(out, "wrote %s: %d tensors, %s in %.1f s\n", e.Out, e.Tensors, size(e.Bytes), e.Seconds)
	if len(e.Modules) == 0 {
		return
	}
	low, high := e.Modules[0].Rank, e.Modules[0].Rank
	for _, k := range e.Modules {
		low, high = min(low, k.Rank), max(high, k.Rank)
	}
	ranks := fmt.Sprint("rank ", low)
	if high > low {
		ranks = fmt.Sprintf("ranks %d to %d", low, high)
	}
	fmt.Fprintf(out, "%s of %s; kept %.6g %% of the energy; as written %.2g of the norm away from the whole\n", count(len(e.Modules), "module"), ranks, 100*e.Energy, e.Error)
	writeLeast(out, e.Modules)
}

// writeLeast lists the modules that lost most, where any lost something.
func writeLeast(out io.Writer, modules []adapters.Kept) {
	const most = 5
	list := slices.Clone(modules)
	slices.SortStableFunc(list, func(a, b adapters.Kept) int {
		switch {
		case a.Energy < b.Energy:
			return -1
		case a.Energy > b.Energy:
			return 1
		}
		return 0
	})
	list = slices.DeleteFunc(list, func(k adapters.Kept) bool { return k.Energy > 1-1e-9 })
	if len(list) == 0 {
		return
	}
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "lost most\trank\tof\tenergy, %\terror")
	for _, k := range list[:min(most, len(list))] {
		fmt.Fprintf(t, "%s\t%d\t%d\t%.4g\t%.2g\n", k.Module, k.Rank, k.Of, 100*k.Energy, k.Error)
	}
	_ = t.Flush()
}
