package adapters

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tensors/view"
)

// Set is adapters that are merged with each other, and what each calls the modules
// that they change. Names are those of the first, in its naming.
type Set struct {
	list    []*view.Adapter
	own     [][]view.Module // of each adapter
	names   []string        // of the adapters, in messages
	modules []module        // by name
	biases  bool            // up factors have biases, of some module at least
	alphas  bool            // the first writes alphas
	naming  view.Naming
	folder  string // of the first, if it is PEFT's
}

// module is a module of the base in all adapters.
type module struct {
	view.Module       // as the first adapter names it, or would
	at          []int // its position in each adapter, -1 where that leaves it alone
}

// weight and bias name the tensors that stand for the module where adapters are merged
// as models are.
func (m module) weight() string { return m.Name + ".weight" }
func (m module) bias() string   { return m.Name + ".bias" }

// Join matches the modules of adapters, whose names in messages are given. Namings may
// differ: kohya's lora_unet_a_b is diffusers' unet.a.b. What some adapters leave alone
// is 0 there.
//
// It refuses DoRA and tensors that replace those of a base, modules of different
// shapes, copies of a base's weight that differ, and names that the first adapter's naming cannot write, all listed.
func Join(list []*view.Adapter, names []string) (*Set, error) {
	s := &Set{list: list, names: names, naming: list[0].Naming(), folder: list[0].Folder()}
	var errs []error
	for _, a := range list {
		errs = append(errs, a.OnlyProducts())
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	var problems []string
	for _, a := range list {
		s.own = append(s.own, a.Modules())
	}
	for i := range list {
		for k, m := range s.own[i] {
			s.biases = s.biases || m.Bias != ""
			if i == 0 {
				s.alphas = s.alphas || m.Alpha != ""
			}
			if what := s.place(i, k, m); what != "" {
				problems = append(problems, "  "+what)
			}
		}
	}
	if len(problems) > 0 {
		if extra := len(problems) - 40; extra > 0 {
			problems = append(problems[:40], fmt.Sprintf("  and %d more", extra))
		}
		return nil, fmt.Errorf("the adapters do not fit together:\n%s", strings.Join(problems, "\n"))
	}
	slices.SortFunc(s.modules, func(a, b module) int { return cmp.Compare(a.Name, b.Name) })
	return s, s.checkCopies()
}

// place finds the k-th module of adapter i among those of the adapters before, or adds
// it; it says what is wrong, or "".
func (s *Set) place(i, k int, m view.Module) string {
	var same []int
	for j, o := range s.modules {
		switch {
		case o.Rest != m.Rest:
		case o.Part == m.Part:
			same = []int{j}
		case o.Part == "" || m.Part == "":
			same = append(same, j)
		}
		if len(same) == 1 && s.modules[same[0]].Part == m.Part {
			break
		}
	}
	switch {
	case len(same) > 1:
		return fmt.Sprintf("%s in %s may be %s or %s", m.Name, s.names[i], s.modules[same[0]].Name, s.modules[same[1]].Name)
	case len(same) == 0 && i > 0:
		var what string
		if m, what = s.named(m); what != "" {
			return fmt.Sprintf("%s in %s: %s", m.Name, s.names[i], what)
		}
		fallthrough
	case len(same) == 0:
		at := slices.Repeat([]int{-1}, len(s.list))
		at[i] = k
		if s.folder != "" && m.Naming.Folder {
			m.Naming = s.naming
		}
		s.modules = append(s.modules, module{m, at})
		return ""
	}
	o := &s.modules[same[0]]
	switch {
	case o.at[i] >= 0:
		return fmt.Sprintf("%s in %s: a second module that is %s", m.Name, s.names[i], o.Name)
	case !slices.Equal(pointless(o.Shape), pointless(m.Shape)) || o.Embedding != m.Embedding:
		return fmt.Sprintf("%s: changes a weight of %v in %s, of %v in %s", o.Name, o.Shape, s.names[slices.IndexFunc(o.at, func(k int) bool { return k >= 0 })], m.Shape, s.names[i])
	}
	o.at[i] = k
	return ""
}

// pointless is a shape without the kernel of a convolution that sees one point.
func pointless(shape []int) []int {
	if len(shape) > 2 && !slices.ContainsFunc(shape[2:], func(d int) bool { return d != 1 }) {
		return shape[:2]
	}
	return shape
}

// Modules returns how many modules the adapters change together.
func (s *Set) Modules() int { return len(s.modules) }

// Products returns the adapters' products as tensors that are merged as those of models
// are: <module>.weight of outputs × inputs, and <module>.bias where up factors have
// biases. All have the same, zeros where one leaves a module alone.
func (s *Set) Products() []tensors.Source {
	var out []tensors.Source
	for i, a := range s.list {
		var list []view.Change
		for _, m := range s.modules {
			list = append(list, view.Change{Name: m.weight(), Module: m.at[i], Shape: m.Shape})
			if s.biased(m) {
				list = append(list, view.Change{Name: m.bias(), Module: m.at[i], Bias: true, Shape: m.Shape[:1]})
			}
		}
		out = append(out, a.Changes(list))
	}
	return out
}

// biased reports whether the module gets a bias: all do if any has one, as PEFT's
// lora_bias has it.
func (s *Set) biased(m module) bool { return s.biases && !m.Embedding }

// Nothing is a base for task vectors: the same tensors, all 0.
func (s *Set) Nothing() tensors.Source {
	src := s.Products()[0]
	return view.Zeros("no change", src.Tensors())
}
