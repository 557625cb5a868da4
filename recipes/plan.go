package recipes

import (
	"fmt"
	"math"
	"slices"

	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/merge"
)

// plan is one method's parameters, ready to be read for any values of the genes.
type plan struct {
	method *merge.Method
	parts  []merge.Part // by slice
	global [][]assign   // by tensor
	source [][][]assign // by tensor and input
}

// assign gives a parameter its number.
type assign struct {
	param string
	slot
}

// slot is a number of the recipe: a, or a point on the line from a to b.
type slot struct {
	a, b operand
	line bool
	frac float64
}

// operand is a constant, or the value of a gene where that is not negative.
type operand struct {
	gene     int
	constant float64
}

func (o operand) value(genes []float64) float64 {
	if o.gene >= 0 {
		return genes[o.gene]
	}
	return o.constant
}

func (s slot) value(genes []float64) float64 {
	if !s.line {
		return s.a.value(genes)
	}
	// The conversions keep the compiler from fusing a product into the sum, which
	// would give other bits on other machines.
	return float64((1-s.frac)*s.a.value(genes)) + float64(s.frac*s.b.value(genes))
}

// makePlans resolves every number of every method.
func (f *Family) makePlans() {
	for _, m := range f.recipe.method.methods {
		p := plan{method: m, global: make([][]assign, len(f.tensors)), source: make([][][]assign, len(f.tensors))}
		for i := range f.recipe.slices {
			p.parts = append(p.parts, f.from.part(i, m))
		}
		for t := range p.source {
			p.source[t] = make([][]assign, len(p.parts[f.tensors[t].slice].Inputs))
		}
		f.plans = append(f.plans, p)
	}
	f.uses(func(u slotUse) {
		if u.leaf == nil {
			return
		}
		to := &f.plans[u.method].global[u.tensor]
		if u.input >= 0 {
			to = &f.plans[u.method].source[u.tensor][u.input]
		}
		*to = append(*to, assign{u.param.Name, f.slot(u.leaf, stepped(u.param), u.model, u.tensor)})
	})
}

// slot says how a leaf's number for a model and tensor is read.
func (f *Family) slot(leaf *setting, stepped bool, model, tensor int) slot {
	if leaf.gradient == nil {
		return slot{a: f.operand(leaf, model, tensor)}
	}
	// mergekit's rule: s = t (len-1), between the two neighbours of s.
	s := f.tensors[tensor].t * float64(len(leaf.gradient)-1)
	i := int(s)
	at := slot{a: f.operand(&leaf.gradient[i], model, tensor)}
	if stepped {
		return at
	}
	at.b = f.operand(&leaf.gradient[min(i+1, len(leaf.gradient)-1)], model, tensor)
	at.line, at.frac = true, s-float64(i)
	return at
}

func (f *Family) operand(s *setting, model, tensor int) operand {
	if s.hole == nil {
		return operand{gene: -1, constant: s.number}
	}
	set := f.genes[s.hole]
	return operand{gene: set.gene[set.key(s.hole, model, tensor)]}
}

// Box returns the genes, none for a recipe without holes.
func (f *Family) Box() evolve.Box {
	if f.stack != nil {
		return slices.Concat(f.stack.box, f.box)
	}
	return slices.Clone(f.box)
}

// Spec returns the merge at a point of the box, given as [evolve.Box.Values]
// gives it: a choice is the index of what was chosen. A niche merge has no box: its
// values are the numbers of segments, none for those of the recipe. The parameters of a tensor
// that was not among those of [Recipe.Bind] are NaN.
func (f *Family) Spec(values []float64) (*merge.Spec, error) {
	var pieces map[string]*merge.Pieces
	if f.flat != nil {
		s, err := f.pieced(values)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.recipe.name, err)
		}
		pieces, values = f.byTensor(s), nil
	}
	genes, method, err := f.read(values)
	if err != nil {
		return nil, err
	}
	p := &f.plans[method]
	r := f.recipe
	spec := &merge.Spec{Method: p.method, Parts: p.parts, Seed: r.seed, DType: r.outDType, AsMergekit: r.AsMergekit}
	if spec.DType == 0 {
		spec.DType = r.dtype
	}
	spec.Params = func(tensor string) (merge.Values, []merge.Values) {
		t, ok := f.index[tensor]
		if !ok {
			return p.unknown()
		}
		global := p.values(p.global[t], genes)
		global.Pieces = pieces[tensor]
		source := make([]merge.Values, len(p.source[t]))
		for i := range source {
			source[i] = p.values(p.source[t][i], genes)
		}
		return global, source
	}
	return spec, nil
}

func (p *plan) values(as []assign, genes []float64) merge.Values {
	v := p.method.NewValues()
	for _, a := range as {
		v.Set(a.param, a.value(genes))
	}
	return v
}

func (p *plan) unknown() (merge.Values, []merge.Values) {
	nan := p.method.NewValues()
	for _, row := range p.method.Params {
		nan.Set(row.Name, math.NaN())
	}
	return nan, slices.Repeat([]merge.Values{nan}, len(p.parts[0].Inputs))
}

// read checks the values of the genes, and turns choices into what they choose. The layers
// of a stack are those that it starts with; see [Family.Choose] for others.
func (f *Family) read(values []float64) (genes []float64, method int, err error) {
	if f.stack != nil {
		n := len(f.stack.box)
		if len(values) < n || !slices.Equal(values[:n], f.stack.box.Values(f.stack.box.Start())) {
			return nil, 0, fmt.Errorf("%s: these layers are not those of the family", f.recipe.name)
		}
		values = values[n:]
	}
	return readGenes(f.recipe.name, f.box, f.decode, values)
}

func readGenes(recipe string, box evolve.Box, decode []decodeGene, values []float64) (genes []float64, method int, err error) {
	if len(values) != len(box) {
		return nil, 0, fmt.Errorf("%s: %d values for %d genes", recipe, len(values), len(box))
	}
	genes = slices.Clone(values)
	for i, v := range genes {
		g := decode[i]
		// A log scale may miss its bounds by a rounding.
		slack := 1e-9 * (g.hi - g.lo)
		if !(v >= g.lo-slack && v <= g.hi+slack) || box[i].Choices > 0 && v != math.Trunc(v) {
			return nil, 0, fmt.Errorf("%s: gene %s = %g is outside [%g, %g]", recipe, box[i].Name, v, g.lo, g.hi)
		}
		genes[i] = min(max(v, g.lo), g.hi)
		switch {
		case g.choices != nil:
			genes[i] = g.choices[int(v)]
		case box[i].Choices > 0:
			method = int(v) // of the methods, which are no numbers
		}
	}
	return genes, method, nil
}
