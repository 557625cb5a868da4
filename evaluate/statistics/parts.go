package statistics

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mergevo/mergevo/tensors"
)

// gramParts is a folder of what is finished of several models' Gram matrices: a file a
// stage, which appears complete.
type gramParts struct {
	folder, identity string
	models           int
	layers           []layer
	open             map[int]*tensors.Checkpoint // by stage
}

// openParts opens what is there; nothing is no error.
func openParts(folder, identity string, models int, layers []layer) (*gramParts, error) {
	g := &gramParts{folder, identity, models, layers, map[int]*tensors.Checkpoint{}}
	files, err := filepath.Glob(filepath.Join(escaped(folder), "stage-*.safetensors"))
	for _, f := range files {
		var stage int
		if _, bad := fmt.Sscanf(filepath.Base(f), "stage-%d.safetensors", &stage); bad == nil && err == nil {
			err = g.take(stage)
		}
	}
	if err != nil {
		return nil, errors.Join(err, g.close())
	}
	return g, nil
}

// escaped is a path in which Glob finds nothing to expand.
func escaped(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

func (g *gramParts) path(stage int) string {
	return filepath.Join(g.folder, fmt.Sprintf("stage-%d.safetensors", stage))
}

// take opens the file of a stage.
func (g *gramParts) take(stage int) error {
	c, err := tensors.Open(g.path(stage))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOther, err)
	}
	if c.Metadata()[stateIdentity] != g.identity {
		_ = c.Close()
		return fmt.Errorf("%s %w: other examples, other models or other flags", g.folder, ErrOther)
	}
	g.open[stage] = c
	return nil
}

func (g *gramParts) has(stage int) bool { return g.open[stage] != nil }

// inPart is the name of a model's matrix in the file of a stage.
func inPart(model int, name string) string { return fmt.Sprintf("%d/%s", model, name) }

// keep writes the matrices of a stage: of each model, of each layer.
func (g *gramParts) keep(stage int, layers []layer, grams [][][]float32) error {
	var layout []tensors.Info
	values := map[string][]float32{}
	for k := range grams {
		for i, t := range gramLayout(layers) {
			t.Name = inPart(k, t.Name)
			layout, values[t.Name] = append(layout, t), grams[k][i]
		}
	}
	err := write(g.path(stage), layout, map[string]string{stateIdentity: g.identity}, func(t tensors.Info) ([]float32, error) { return values[t.Name], nil }, "")
	if err != nil {
		return err
	}
	return g.take(stage)
}

func (g *gramParts) close() error {
	var err error
	for _, c := range g.open {
		err = errors.Join(err, c.Close())
	}
	g.open = map[int]*tensors.Checkpoint{}
	return err
}

// remove ends the measurement: nothing is left of it.
func (g *gramParts) remove() error {
	err := g.close()
	return errors.Join(err, os.RemoveAll(g.folder))
}

// partialGrams are a model's Gram matrices, of which those of unfinished stages cannot be
// read yet.
type partialGrams struct {
	*gramParts
	model int
}

func (g *gramParts) file(model int) tensors.Source { return partialGrams{g, model} }

func (f partialGrams) Path() string { return fmt.Sprintf("%s (model %d)", f.folder, f.model+1) }

func (f partialGrams) Tensors() []tensors.Info {
	list := gramLayout(f.layers)
	slices.SortFunc(list, func(a, b tensors.Info) int { return strings.Compare(a.Name, b.Name) })
	return list
}

func (f partialGrams) Lookup(name string) (tensors.Info, bool) {
	i := slices.IndexFunc(f.layers, func(l layer) bool { return l.name() == name })
	if i < 0 {
		return tensors.Info{}, false
	}
	return gramLayout(f.layers[i : i+1])[0], true
}

// in finds the file that holds a matrix.
func (f partialGrams) in(name string) (*tensors.Checkpoint, error) {
	for _, c := range f.open {
		if _, ok := c.Lookup(inPart(f.model, name)); ok {
			return c, nil
		}
	}
	return nil, fmt.Errorf("%s: the Gram matrix of %s is not measured yet", f.folder, name)
}

func (f partialGrams) ReadAt(dst []float32, name string, off int) error {
	c, err := f.in(name)
	if err != nil {
		return err
	}
	return c.ReadAt(dst, inPart(f.model, name), off)
}

func (f partialGrams) Stored(name string, off, n int, use func([]byte) error) error {
	c, err := f.in(name)
	if err != nil {
		return err
	}
	return c.Stored(inPart(f.model, name), off, n, use)
}
