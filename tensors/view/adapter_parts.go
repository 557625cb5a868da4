package view

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mergevo/mergevo/tensors"
)

// flatNames finds tensors by names in which dots are underscores.
type flatNames struct {
	all  map[string][]tensors.Info // by the whole name
	bare map[string][]tensors.Info // by the name behind its first component
}

func newFlatNames(src tensors.Source) *flatNames {
	n := &flatNames{map[string][]tensors.Info{}, map[string][]tensors.Info{}}
	for _, t := range src.Tensors() {
		n.all[flat(t.Name)] = append(n.all[flat(t.Name)], t)
		if _, bare, ok := strings.Cut(t.Name, "."); ok {
			n.bare[flat(bare)] = append(n.bare[flat(bare)], t)
		}
	}
	return n
}

// find returns the tensor that is a module's parameter, or what is wrong. Its name is
// the module's behind the part, as it is or with what checkpoints of several networks
// put before; else with one leading component more or less ("model.", "text_model.").
func (n *flatNames) find(m module, parameter string) (tensors.Info, string) {
	name := m.rest + "_" + parameter
	starts := append([]string{""}, m.part.in...)
	for _, list := range [][]tensors.Info{n.with(starts, name), n.bare[name], n.all[strings.TrimPrefix(strings.TrimPrefix(name, "text_"), "model_")]} {
		switch {
		case len(list) > 1:
			return tensors.Info{}, fmt.Sprintf("may be %s or %s", list[0].Name, list[1].Name)
		case len(list) == 1:
			return list[0], ""
		}
	}
	return tensors.Info{}, "matches no tensor"
}

func (n *flatNames) with(starts []string, name string) (found []tensors.Info) {
	for _, s := range starts {
		found = append(found, n.all[s+name]...)
	}
	return found
}

// fitting returns the modules of the parts that src has: an adapter of a text encoder
// and a U-Net is added to either. A part is left out if none of its modules has a
// tensor of its name and shape in src; of the others all must fit.
func (a *Adapter) fitting(src tensors.Source, find func(module, string) (tensors.Info, string)) []module {
	fits := map[string]bool{}
	for _, m := range a.modules {
		if t, what := find(m, "weight"); what == "" {
			_, what = a.weightPatch(m, t, src.Path())
			fits[m.part.name] = fits[m.part.name] || what == ""
		}
	}
	if len(fits) == 0 || !anyTrue(fits) {
		return a.modules // all are listed
	}
	return slices.DeleteFunc(slices.Clone(a.modules), func(m module) bool { return !fits[m.part.name] })
}

func anyTrue(m map[string]bool) bool {
	for _, v := range m {
		if v {
			return true
		}
	}
	return false
}

// LeftOut says for each part of the adapter that src does not have, and that On adds
// nothing of, how many modules it has: an adapter of a text encoder and a U-Net may be
// added to either.
func (a *Adapter) LeftOut(src tensors.Source) map[string]int {
	if a.folder != "" {
		return nil
	}
	out := map[string]int{}
	for _, m := range a.modules {
		out[m.part.name]++
	}
	for _, m := range a.fitting(src, newFlatNames(src).find) {
		delete(out, m.part.name)
	}
	return out
}
