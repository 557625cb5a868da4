package view

import (
	"fmt"
	"slices"

	"github.com/mergevo/mergevo/tensors"
)

// Module is what an adapter changes of one module of a model.
type Module struct {
	// Name is the module's, as the adapter's file writes it; Part the network it is in,
	// "" where the file does not say, and Rest the name behind, with dots as
	// underscores. The last two are the same in every naming.
	Name, Part, Rest string
	// Rank is that of the factors, Scale the s of s·BA.
	Rank  int
	Scale float32
	// Shape is that of BA: outputs, inputs, and the kernel of a convolution.
	Shape []int
	// Down, Up, Mid, Alpha and Bias name the tensors of the file, "" for none; Naming is
	// how it names the factors.
	Down, Up, Mid, Alpha, Bias string
	Naming                     Naming
	// Copied is the tensor, or "", that PEFT puts beside the factors of embeddings and
	// heads: the weight of the model that they were trained on, as it is.
	Copied string
	// Embedding says that the module's weight lies inputs × outputs.
	Embedding bool
}

// Modules lists the modules, sorted by name.
func (a *Adapter) Modules() []Module {
	var out []Module
	for _, m := range a.modules {
		p, rest := m.part, m.rest
		if a.folder != "" {
			p, rest = cutPart("base_model.model." + m.name)
		}
		out = append(out, Module{
			Name: m.name, Part: p.name, Rest: rest, Rank: m.rank, Scale: m.scale, Shape: a.shape(m),
			Down: m.a, Up: m.b, Mid: m.mid, Alpha: m.alpha, Bias: m.bias, Copied: m.copied, Naming: namings[m.naming], Embedding: m.embedding,
		})
	}
	return out
}

// OnlyProducts refuses an adapter that holds more than products: DoRA's lengths, and
// tensors that replace those of the base, for which nothing stands without the base.
// Copies of a module's own weight replace nothing: [Module.Copied].
func (a *Adapter) OnlyProducts() error {
	for _, m := range a.modules {
		if m.magnitude != "" {
			return fmt.Errorf("%s: %s is DoRA: its lengths are those of its own base's weights, and say nothing beside another adapter; merge models, base+adapter, instead", a.path, m.magnitude)
		}
	}
	for _, w := range a.whole {
		if !slices.ContainsFunc(a.modules, func(m module) bool { return m.copied == w.from }) {
			return fmt.Errorf("%s: %s replaces a tensor of the base (modules_to_save, or a bias that was trained) and has no difference to it; merge models, base+adapter, instead", a.path, w.from)
		}
	}
	return nil
}

// Pair reads the factors of the i-th module: left, outputs × rank, and right, rank ×
// inputs (and kernel), without the scale.
func (a *Adapter) Pair(i int) (left, right []float32, err error) {
	p := a.factorsOf(a.modules[i])
	left, right = make([]float32, p.rows*p.rank), make([]float32, p.rank*p.cols)
	if err := a.weights.ReadAt(left, p.left, 0); err != nil {
		return nil, nil, err
	}
	if p.mid == "" {
		return left, right, a.weights.ReadAt(right, p.right, 0)
	}
	return left, right, tucker(a.weights, p, func(row, _ int, x []float32) { copy(right[row*p.cols:], x) })
}

// Change is a tensor of [Adapter.Changes].
type Change struct {
	Name string
	// Module is the position of the adapter's module; -1 is zeros.
	Module int
	// Bias asks for the scaled bias of the module's up factor, not for the product.
	Bias  bool
	Shape []int
}

// Changes returns the adapter's s·BA as tensors of float32: zeros where it has no
// such module. They are computed as they are read.
func (a *Adapter) Changes(list []Change) tensors.Source {
	v := &products{patches: map[string]*patch{}, factors: factorCache{weights: a.weights}}
	var infos []tensors.Info
	for _, p := range list {
		infos = append(infos, tensors.Info{Name: p.Name, DType: tensors.F32, Shape: slices.Clone(p.Shape)})
		if p.Module < 0 {
			continue
		}
		m := a.modules[p.Module]
		switch {
		case !p.Bias:
			v.patches[p.Name] = a.factorsOf(m)
		case m.bias != "":
			v.patches[p.Name] = &patch{rows: 1, cols: p.Shape[0], rank: 1, scale: m.scale, right: m.bias}
		}
	}
	v.catalog = newCatalog(a.path, infos)
	return v
}

// Zeros returns tensors of float32 that are 0.
func Zeros(path string, infos []tensors.Info) tensors.Source {
	v := &products{}
	infos = slices.Clone(infos)
	for i := range infos {
		infos[i].DType = tensors.F32
	}
	v.catalog = newCatalog(path, infos)
	return v
}

// products are the tensors of Changes.
type products struct {
	catalog
	patches map[string]*patch
	factors factorCache
}

// ReadAt computes elements of a product.
func (v *products) ReadAt(dst []float32, name string, off int) error {
	if _, err := v.numbers(name, off, len(dst)); err != nil {
		return err
	}
	return v.fill(dst, name, off)
}

// Stored gives use what ReadAt computes.
func (v *products) Stored(name string, off, n int, use func([]byte) error) error {
	info, err := v.piece(name, off, n)
	if err != nil {
		return err
	}
	return stored(info.DType, off, n, use, func(dst []float32, off int) error { return v.fill(dst, name, off) })
}

func (v *products) fill(dst []float32, name string, off int) error {
	clear(dst)
	p, ok := v.patches[name]
	if !ok {
		return nil
	}
	f, err := v.factors.get(p)
	if err != nil {
		return err
	}
	f.addTo(dst, p, off)
	return nil
}
