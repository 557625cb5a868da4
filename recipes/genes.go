package recipes

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/merge"
)

// geneSet is the genes of one hole: one for each model and group of tensors that
// `per` tells apart and that reads the hole.
type geneSet struct {
	// groups gives each tensor's group, labels each group's name; both nil
	// without a part of per that tells tensors apart.
	groups []int
	labels []string
	// gene is a position in the box, by model (-1: all) and group.
	gene map[[2]int]int
}

// key returns the model and group whose gene a model and tensor read.
func (g *geneSet) key(h *hole, model, tensor int) [2]int {
	k := [2]int{-1, 0}
	if h.per != nil && h.per.model {
		k[0] = model
	}
	if g.groups != nil {
		k[1] = g.groups[tensor]
	}
	return k
}

// decodeGene turns a value of the box into a parameter's.
type decodeGene struct {
	lo, hi  float64
	choices []float64
	open    bool // a number that all models share, and that may lie above hi
}

// findGenes makes the box: a gene for everything that some merge of the family
// reads, in the order of the file.
func (f *Family) findGenes(d *decoder) {
	r := f.recipe
	if r.method.hole() {
		n := len(r.method.methods)
		f.addGene(evolve.Gene{Name: "merge_method", Hi: float64(n - 1), Start: float64(r.method.start), Choices: n}, nil)
	}
	used := map[*hole]map[[2]int]bool{}
	missing := map[[2]int]bool{} // method and model, once each
	f.uses(func(u slotUse) {
		if u.leaf == nil && u.param.Required && !missing[[2]int{u.method, u.model}] {
			missing[[2]int{u.method, u.model}] = true
			f.missing(d, u)
		}
		if u.leaf == nil {
			return
		}
		for _, h := range u.leaf.read() {
			if f.genes[h] == nil {
				f.genes[h] = f.newGeneSet(h)
				used[h] = map[[2]int]bool{}
			}
			used[h][f.genes[h].key(h, u.model, u.tensor)] = true
		}
	})
	names := newNamer(r)
	for _, s := range r.scopes() {
		for i := range s.params {
			p := &s.params[i]
			names.walk(s, p, func(h *hole, name func(model int) string) {
				if used[h] == nil {
					d.at(h.place, "this hole is never read: no tensor gets its value from here")
					return
				}
				f.holeGenes(h, used[h], f.recipe.method.rows(p.name)[0], names, name)
			})
		}
	}
}

// read lists the holes in a leaf.
func (s *setting) read() []*hole {
	if s.hole != nil {
		return []*hole{s.hole}
	}
	if s.gradient != nil {
		return s.holes()
	}
	return nil
}

func (f *Family) missing(d *decoder, u slotUse) {
	m := f.recipe.method.methods[u.method]
	name := f.tensors[u.tensor].name
	if u.model < 0 {
		d.hint(f.recipe.scopesOf(u.param.Name, -1, &f.recipe.slices[f.tensors[u.tensor].slice])[0].place, "add an entry {value: ...} without filter at the end",
			"tensor %q gets no %s, which %s needs", shorten(name), u.param.Name, m.Name)
		return
	}
	d.hint(f.recipe.models[u.model].place, fmt.Sprintf("add an entry {value: ...} without filter at the end, or %s at the top level", u.param.Name),
		"tensor %q of %s gets no %s, which %s needs", shorten(name), shorten(f.recipe.models[u.model].ref), u.param.Name, m.Name)
}

// holeGenes adds a hole's genes, models first, then groups.
func (f *Family) holeGenes(h *hole, used map[[2]int]bool, row merge.Param, names *namer, name func(model int) string) {
	set := f.genes[h]
	keys := make([][2]int, 0, len(used))
	for k := range used {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b [2]int) int { return slices.Compare(a[:], b[:]) })
	for _, k := range keys {
		full := name(k[0])
		if set.labels != nil {
			full = behind(full, set.labels[k[1]])
		}
		g := evolve.Gene{Name: names.unique(full), Lo: h.lo, Hi: h.hi, Start: h.start, Log: h.log, Int: h.int, Grid: h.grid}
		if h.choices != nil {
			n := len(h.choices)
			g = evolve.Gene{Name: g.Name, Hi: float64(n - 1), Start: h.start, Choices: n}
		}
		set.gene[k] = f.addGene(g, h.choices)
		f.decode[set.gene[k]].open = h.choices == nil && !row.PerSource && row.Max > h.hi
	}
}

// AtTop names the genes whose values lie in the last hundredth of their range, where the
// parameter may be larger: what was searched may have ended before it was good. It leaves
// out parameters that models have each, which weigh models against one another, and a
// recipe that searches its layers. values are of [Family.Box].
func (f *Family) AtTop(values []float64) (names []string) {
	if f.stack != nil {
		return nil
	}
	for i, g := range f.decode {
		if g.open && values[i] >= g.hi-(g.hi-g.lo)/100 {
			names = append(names, f.box[i].Name)
		}
	}
	return names
}

func (f *Family) addGene(g evolve.Gene, choices []float64) int {
	f.box = append(f.box, g)
	f.decode = append(f.decode, decodeGene{lo: g.Lo, hi: g.Hi, choices: choices})
	return len(f.box) - 1
}

// newGeneSet groups the tensors as the hole's per says.
func (f *Family) newGeneSet(h *hole) *geneSet {
	g := &geneSet{gene: map[[2]int]int{}}
	p := h.per
	if p == nil || !p.layer && !p.tensor && p.block == 0 && p.match == nil {
		return g
	}
	prefixes := map[string]int{} // and their layers
	for _, t := range f.tensors {
		if t.layer >= 0 {
			prefixes[t.prefix] = max(prefixes[t.prefix], t.layer+1)
		}
	}
	number := map[string]int{}
	var keys [][2]int // match and first tensor, by which groups are ordered
	for i, t := range f.tensors {
		var label []string
		m, named := -1, false
		if p.match != nil {
			m = slices.IndexFunc(p.match, func(s string) bool { return strings.Contains(t.name, s) })
			if m < 0 {
				m = len(p.match)
				label = append(label, "other")
			} else {
				label = append(label, p.match[m])
			}
		}
		switch {
		case p.tensor || (p.layer || p.block > 0) && t.layer < 0:
			label, named = append(label, t.name), true
		case p.layer:
			label = append(label, layerLabel(t.prefix, t.layer, t.layer, len(prefixes)))
		case p.block > 0:
			first := t.layer / p.block * p.block
			last := min(first+p.block, prefixes[t.prefix]) - 1
			label = append(label, layerLabel(t.prefix, first, last, len(prefixes)))
		}
		full := strings.Join(label, ".")
		// A tensor may be called as a layer is labelled: the kinds are kept apart.
		id := fmt.Sprint(m, " ", named, " ", full)
		n, ok := number[id]
		if !ok {
			n = len(g.labels)
			number[id] = n
			g.labels = append(g.labels, full)
			keys = append(keys, [2]int{m, i})
		}
		g.groups = append(g.groups, n)
	}
	g.order(keys)
	return g
}

// order renumbers the groups by their keys.
func (g *geneSet) order(keys [][2]int) {
	by := make([]int, len(keys))
	for i := range by {
		by[i] = i
	}
	slices.SortFunc(by, func(a, b int) int { return slices.Compare(keys[a][:], keys[b][:]) })
	labels, rank := make([]string, len(by)), make([]int, len(by))
	for to, from := range by {
		labels[to], rank[from] = g.labels[from], to
	}
	g.labels = labels
	for i := range g.groups {
		g.groups[i] = rank[g.groups[i]]
	}
}

// layerLabel names layers: "layers.3" where all have one prefix, else the whole.
func layerLabel(prefix string, first, last, prefixes int) string {
	if prefixes == 1 {
		parts := strings.Split(strings.TrimSuffix(prefix, "."), ".")
		prefix = parts[len(parts)-1]
		if prefix != "" {
			prefix += "."
		}
	}
	label := prefix + strconv.Itoa(first)
	if last > first {
		label += "-" + strconv.Itoa(last)
	}
	return label
}
