package recipes

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// Arrangement says of which tensors of which models each tensor of the output is
// made: layers are cut, stacked and renumbered here.
type Arrangement struct {
	// Parents are what the merge reads, the base of each slice first. The
	// positions in a [merge.Spec] are theirs.
	Parents []Parent
	// Layers gives, for each prefix of layers that slices cut (such as
	// "model.layers."), the number of the first source's layer that each layer of
	// the output came from. Nil where no layers were cut.
	Layers map[string][]int

	recipe *Recipe
	stack  *stack          // nil unless a search chooses the layers
	spans  map[string]span // of the tensors that slices or modules place
	at     [][]int         // parents of the models of each slice, in its order
	base   []int           // parent of each slice's base, -1 without
}

// Parent is a model as one slice sees it.
type Parent struct {
	// Ref is the model's reference, Slice its slice.
	Ref   string
	Slice int
	// Names gives the tensors that the slice takes, the model's name by the
	// output's; nil takes all as they are.
	Names map[string]string
}

// Arrange places the tensors of the models, which are given by reference. Of a recipe in
// which a search chooses the layers, it places those to start with.
func (r *Recipe) Arrange(models map[string][]tensors.Info) (*Arrangement, error) {
	named := map[string][]tensors.Info{}
	for _, ref := range r.Models() {
		infos, ok := models[ref]
		if !ok {
			return nil, fmt.Errorf("%s: model %s is not open", r.name, ref)
		}
		named[ref] = infos
	}
	if stack, err := r.stack(models); stack != nil || err != nil {
		if err != nil {
			return nil, err
		}
		first, err := stack.at(stack.box.Values(stack.box.Start()))
		if err != nil {
			return nil, err
		}
		a, err := first.Arrange(models)
		if err == nil {
			a.stack = stack
		}
		return a, err
	}
	a := &Arrangement{recipe: r, spans: map[string]span{}}
	if r.form == asModels {
		for _, ref := range r.Models() {
			a.Parents = append(a.Parents, Parent{Ref: ref})
		}
		a.find(0)
		return a, nil
	}
	d := &decoder{}
	place := &placing{Arrangement: a, d: d, models: named}
	groups := [][]int{nil}
	for i := range r.slices {
		groups[0] = append(groups[0], i)
	}
	if r.form == asModules {
		groups = nil
		for _, m := range r.modules {
			groups = append(groups, m.slices)
		}
		place.checkModules()
	}
	for _, g := range groups {
		place.stack(g)
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	place.simplify()
	return a, nil
}

// find notes the parents of slice i's models and base.
func (a *Arrangement) find(i int) {
	s := &a.recipe.slices[i]
	parent := func(ref string) int {
		return slices.IndexFunc(a.Parents, func(p Parent) bool { return p.Ref == ref && p.Slice == i })
	}
	var at []int
	for _, m := range s.models {
		at = append(at, parent(a.recipe.models[m].ref))
	}
	a.at = append(a.at, at)
	a.base = append(a.base, parent(a.recipe.baseOf(s)))
}

// input returns the name that a tensor of the output has in a model.
func (a *Arrangement) input(model int, name string) (string, bool) {
	for i, s := range a.recipe.slices {
		if j := slices.Index(s.models, model); j >= 0 {
			p := a.Parents[a.at[i][j]]
			if p.Names == nil {
				return name, true
			}
			in, ok := p.Names[name]
			return in, ok
		}
	}
	return "", false
}

// anyInput reports whether the name of any tensor that is read holds a word.
func (a *Arrangement) anyInput(sub string) bool {
	for _, p := range a.Parents {
		for _, in := range p.Names {
			if strings.Contains(in, sub) {
				return true
			}
		}
	}
	return false
}

// tensors lists the tensors of the output, for models whose shapes do not matter.
func (a *Arrangement) tensors() []tensors.Info {
	var out []tensors.Info
	for _, name := range slices.Sorted(maps.Keys(a.spans)) {
		out = append(out, tensors.Info{Name: name, DType: tensors.F32, Shape: []int{1}})
	}
	return out
}

// part returns a slice's part of a merge by a method.
func (a *Arrangement) part(i int, m *merge.Method) merge.Part {
	r, s := a.recipe, &a.recipe.slices[i]
	p := merge.Part{Base: -1}
	if m.Base != merge.BaseUnused && r.baseOf(s) != "" {
		p.Base = a.base[i]
	}
	for _, in := range r.inputs(m, s) {
		p.Inputs = append(p.Inputs, a.at[i][slices.Index(s.models, in)])
	}
	return p
}

// placing is the work of Arrange on slices.
type placing struct {
	*Arrangement
	d      *decoder
	models map[string][]tensors.Info
}

// stack places the slices of the recipe or of a module one on another.
func (p *placing) stack(group []int) {
	first := 0 // layer of the output that the next slice begins with
	for k, i := range group {
		s := &p.recipe.slices[i]
		refs, ranges := p.sources(s)
		layers := -1
		for j, ref := range refs {
			names, n := p.cut(s, ref, ranges[j], span{slice: i, at: first, of: len(group)}, k)
			if names == nil {
				return
			}
			if layers >= 0 && n != layers {
				p.d.at(ranges[j].at, "%s gives %d layers, the slice's first source %d: all must give as many", shorten(ref), n, layers)
				return
			}
			layers = n
			p.Parents = append(p.Parents, Parent{Ref: ref, Slice: i, Names: names})
		}
		first += layers
		p.find(i)
	}
}

// layerRange is a run of layers; to is 0 for all.
type layerRange struct {
	from, to int
	at       place
}

// sources lists the models of a slice, its base first if it is merged with them;
// a base that is not among the sources gives the layers of the first one.
func (p *placing) sources(s *slice) (refs []string, ranges []layerRange) {
	r := p.recipe
	for _, i := range s.models {
		m := r.models[i]
		at := m.rangeAt
		if at.src == nil {
			at = m.place
		}
		refs, ranges = append(refs, m.ref), append(ranges, layerRange{m.from, m.to, at})
	}
	base := r.baseOf(s)
	needed := base != "" && slices.ContainsFunc(r.method.methods, func(m *merge.Method) bool { return m.Base != merge.BaseUnused })
	i := slices.Index(refs, base)
	switch {
	case needed && i < 0:
		return append([]string{base}, refs...), append([]layerRange{ranges[0]}, ranges...)
	case needed && i > 0:
		ref, lr := refs[i], ranges[i]
		return append([]string{ref}, slices.Delete(refs, i, i+1)...), append([]layerRange{lr}, slices.Delete(ranges, i, i+1)...)
	}
	return refs, ranges
}

// cut names what a slice takes of a model, and counts its layers. The span says
// which slice, which layer of the output comes first, and of how many slices;
// k is the slice's place among those.
func (p *placing) cut(s *slice, ref string, lr layerRange, to span, k int) (names map[string]string, layers int) {
	infos := p.ofModule(s, p.models[ref])
	count := Depths(infos)
	depth := 0
	for _, n := range count {
		depth = max(depth, n)
	}
	from, end := lr.from, lr.to
	if end == 0 {
		end = depth
	}
	if end > depth {
		hint := "its tensors have no numbered layers"
		if depth > 0 {
			hint = fmt.Sprintf("it has layers 0 to %d: [0, %d] is all of them", depth-1, depth)
		}
		p.d.hint(lr.at, hint, "layer_range [%d, %d] goes beyond the layers of %s", from, end, shorten(ref))
		return nil, 0
	}
	layers = end - from
	names = map[string]string{}
	for _, info := range infos {
		prefix, layer := layerOf(info.Name)
		name, in := info.Name, span{slice: to.slice}
		switch {
		case layer < 0 || count[prefix] != depth:
			if leading := leads(info.Name); leading && k != 0 || !leading && k != to.of-1 {
				continue
			}
		case layer < from || layer >= end:
			continue
		default:
			in.at, in.of = layer-from, layers
			number := to.at + in.at
			name = prefix + strconv.Itoa(number) + strings.TrimPrefix(info.Name, prefix+strconv.Itoa(layer))
			p.origin(prefix, number, layer)
		}
		names[name] = info.Name
		p.spans[name] = in
	}
	if len(names) == 0 {
		p.d.at(lr.at, "%s has no tensors here", shorten(ref))
		return nil, 0
	}
	return names, layers
}

// origin notes where a layer of the output came from: the first source says.
func (p *placing) origin(prefix string, to, from int) {
	if p.Layers == nil {
		p.Layers = map[string][]int{}
	}
	l := p.Layers[prefix]
	for len(l) <= to {
		l = append(l, -1) // tensors come by name: 10 before 2
	}
	if l[to] < 0 {
		l[to] = from
	}
	p.Layers[prefix] = l
}

// leading are the words by which a tensor outside layers is known to stand before
// them, and so to come from the first slice; the others come from the last.
var leading = []string{"embed_tokens", "embeddings", "embedding.", "embed.", "embed_in", "embed_positions", "tok_embeddings", "wte", "wpe", "position", "shared.weight",
	"patch", "class_embedding", "conv1", "conv2", "ln_pre", "layernorm_pre", "inv_freq", "rotary", "vision", "visual", "projector"}

func leads(name string) bool {
	return slices.ContainsFunc(leading, func(w string) bool { return strings.Contains(name, w) })
}

// simplify drops the maps that say nothing: a slice of all layers is a model.
func (p *placing) simplify() {
	for i := range p.Parents {
		q := &p.Parents[i]
		same := len(q.Names) == len(p.models[q.Ref])
		for out, in := range q.Names {
			same = same && out == in
		}
		if same {
			q.Names = nil
		}
	}
	for prefix, from := range p.Layers {
		whole := true
		for to, layer := range from {
			whole = whole && to == layer
		}
		for _, infos := range p.models {
			whole = whole && (Depths(infos)[prefix] == 0 || Depths(infos)[prefix] == len(from))
		}
		if whole {
			delete(p.Layers, prefix)
		}
	}
	if len(p.Layers) == 0 {
		p.Layers = nil
	}
}
