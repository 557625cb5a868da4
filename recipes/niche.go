package recipes

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/merge/niche"
	"github.com/mergevo/mergevo/tensors"
)

// nicheMethod merges by pieces of the flat order, which the niche block says.
const nicheMethod = "niche"

// nicheOptimizer is the one optimizer that makes pieces.
const nicheOptimizer = "m2n2"

// pieces is the `niche:` block: the flat order of all weights, and what stretches of it
// are made of. Its zero value is a niche merge without such a block.
type pieces struct {
	order, chromosomes     []string // parts of tensors' names
	orderAt, chromosomesAt []place
	columns                bool
	segments               niche.Segments // none where a search makes them
}

var nicheKeys = []string{"order", "matrices", "chromosomes", "segments"}

func (d *decoder) niche(n *node, r *Recipe) {
	if len(r.method.methods) > 0 && !r.niched() {
		d.hint(n.place, "merge_method: "+nicheMethod, "niche says nothing to %v", r.method.table)
		return
	}
	f := d.fields(n, "niche", nicheKeys)
	p := &r.pieces
	if v, ok := f["order"]; ok {
		p.order, p.orderAt = d.words(v, "order")
	}
	if v, ok := f["chromosomes"]; ok {
		p.chromosomes, p.chromosomesAt = d.words(v, "chromosomes")
	}
	if v, ok := f["matrices"]; ok {
		p.columns = d.oneOf(v, "matrices", "rows", "columns") == "columns"
	}
	if v, ok := f["segments"]; ok {
		for _, item := range d.list1(v, "segments") {
			d.segment(item, p)
		}
	}
}

func (d *decoder) segment(n *node, p *pieces) {
	f := d.fields(n, "a segment", []string{"end", "shares"})
	if f == nil {
		return
	}
	end, ok := f["end"]
	list, has := f["shares"]
	if !ok || !has {
		d.at(n.place, "a segment is {end: where it ends, shares: [one a model]}")
		return
	}
	s := &p.segments
	at := int64(d.whole(end, "end", 1, 1<<53))
	if last := len(s.Ends) - 1; last >= 0 && at <= s.Ends[last] {
		d.at(end.place, "segments end one behind the other: %d is not above %d", at, s.Ends[last])
	}
	var shares []float64
	for _, item := range d.list1(list, "shares") {
		shares = append(shares, d.real(item, "a share", -math.MaxFloat64, math.MaxFloat64))
	}
	s.Ends, s.Shares = append(s.Ends, at), append(s.Shares, shares)
}

// nicheRules checks what a niche merge needs of the rest of a recipe.
func (d *decoder) nicheRules(r *Recipe, f map[string]*node) {
	if s := r.Search; s != nil && !r.niched() {
		for _, name := range []string{"chromosomes", "path", "angle"} {
			if _, ok := s.Optimizer.Options[name]; ok {
				d.hint(f["search"].place, "merge_method: "+nicheMethod+" breeds pieces of models", "the optimizer's %s says nothing of genes", name)
			}
		}
		return
	}
	if !r.niched() {
		if slices.ContainsFunc(r.method.methods, func(m *merge.Method) bool { return m.Name == nicheMethod }) {
			d.at(r.method.place, "%s cannot be one of several methods: it has pieces, not parameters", nicheMethod)
		}
		return
	}
	if r.form != asModels {
		d.hint(f[[]string{"models", "slices", "modules"}[r.form]].place, "merge the slices first, in a document of their own", "%s merges whole models", nicheMethod)
	}
	if s := r.Search; s != nil {
		at := f["search"].place
		if n, ok := f["search"].get("optimizer"); ok {
			at = n.place
		}
		switch given, ok := s.Optimizer.Options["chromosomes"]; {
		case s.Optimizer.Name != nicheOptimizer:
			d.hint(at, "optimizer: "+nicheOptimizer, "the pieces of %s are made by %s, not by %s", nicheMethod, nicheOptimizer, shorten(s.Optimizer.Name))
		case ok && r.pieces.chromosomes != nil:
			d.at(at, "chromosomes are in niche and in the optimizer: leave one of them out")
		case given != "":
			// They are a property of the merge: a recipe that was found needs them too.
			r.pieces.chromosomes = strings.Split(given, ",")
			r.pieces.chromosomesAt = slices.Repeat([]place{at}, len(r.pieces.chromosomes))
			delete(s.Optimizer.Options, "chromosomes")
		}
	}
	if r.Init != nil && r.pieces.segments.Ends != nil {
		d.at(f["niche"].place, "networks of an init block have weights of their own, and no segments")
		return
	}
	for i, shares := range r.pieces.segments.Shares {
		if len(r.slices) == 1 && len(shares) != len(r.slices[0].models) {
			d.at(f["niche"].place, "segment %d has shares of %d models, %d are merged", i+1, len(shares), len(r.slices[0].models))
			return
		}
	}
}

// niched reports whether the recipe is a niche merge.
func (r *Recipe) niched() bool {
	return len(r.method.methods) == 1 && r.method.methods[0].Name == nicheMethod
}

func (p *pieces) encode(n *node) {
	block := &node{kind: mapNode}
	list := func(key string, words []string) {
		if words == nil {
			return
		}
		l := flowList()
		for _, w := range words {
			l.items = append(l.items, word(w))
		}
		block.put(key, l)
	}
	list("order", p.order)
	if p.columns {
		block.put("matrices", word("columns"))
	}
	list("chromosomes", p.chromosomes)
	if p.segments.Ends != nil {
		segments := &node{kind: listNode}
		for i, end := range p.segments.Ends {
			shares := flowList()
			for _, v := range p.segments.Shares[i] {
				shares.items = append(shares.items, numberNode(v))
			}
			one := &node{flow: true}
			one.put("end", &node{text: strconv.FormatInt(end, 10)})
			one.put("shares", shares)
			segments.items = append(segments.items, one)
		}
		block.put("segments", segments)
	}
	if len(block.keys) > 0 {
		n.put("niche", block)
	}
}

// Flat returns the flat order of a niche merge, nil for other recipes.
func (f *Family) Flat() *niche.Flat { return f.flat }

// flatten puts the tensors into their flat order: by chromosome, by the order that is
// given, and then as they stand in a model: embeddings, layers by their numbers, the
// rest; weights before biases.
func (f *Family) flatten(d *decoder, infos []tensors.Info) {
	p := &f.recipe.pieces
	for i, w := range p.order {
		f.matches(d, w, p.orderAt[i], "order")
	}
	for i, w := range p.chromosomes {
		f.matches(d, w, p.chromosomesAt[i], "chromosome")
	}
	type placed struct {
		tensors.Info
		chromosome, order int
	}
	var all []placed
	first := func(words []string, name string) int {
		if i := slices.IndexFunc(words, func(w string) bool { return strings.Contains(name, w) }); i >= 0 {
			return i
		}
		return len(words)
	}
	for _, info := range infos {
		all = append(all, placed{info, first(p.chromosomes, info.Name), first(p.order, info.Name)})
	}
	slices.SortStableFunc(all, func(a, b placed) int {
		return cmp.Or(a.chromosome-b.chromosome, a.order-b.order, standing(a.Name, b.Name))
	})
	f.flat = &niche.Flat{Columns: p.columns}
	at := int64(0)
	for i, t := range all {
		if i > 0 && t.chromosome != all[i-1].chromosome {
			f.flat.Chromosomes = append(f.flat.Chromosomes, at)
		}
		at += int64(t.Len())
		f.flat.Tensors, f.flat.Ends = append(f.flat.Tensors, t.Name), append(f.flat.Ends, at)
	}
	f.flat.Chromosomes = append(f.flat.Chromosomes, at)
	if s := p.segments; s.Ends != nil && s.Len() != at {
		d.at(f.recipe.method.place, "the segments end at %d, the models have %d weights that are merged", s.Len(), at)
	}
}

// standing compares names by where their tensors stand in a model.
func standing(a, b string) int {
	group := func(name string) int {
		switch _, layer := layerOf(name); {
		case layer >= 0:
			return 1
		case leads(name):
			return 0
		}
		return 2
	}
	if c := group(a) - group(b); c != 0 {
		return c
	}
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(x), len(y)) {
		if x[i] == y[i] {
			continue
		}
		m, errM := strconv.Atoi(x[i])
		n, errN := strconv.Atoi(y[i])
		switch {
		case errM == nil && errN == nil:
			return cmp.Compare(m, n)
		case x[i] == "weight" || y[i] == "weight":
			if x[i] == "weight" {
				return -1
			}
			return 1
		}
		return strings.Compare(x[i], y[i])
	}
	return len(x) - len(y)
}

// pieced is a niche merge of segments. Without any all models have the same share.
func (f *Family) pieced(values []float64) (niche.Segments, error) {
	models := len(f.recipe.slices[0].models)
	if len(values) == 0 {
		if s := f.recipe.pieces.segments; s.Ends != nil {
			return s, nil
		}
		even := slices.Repeat([]float64{1 / float64(models)}, models)
		return niche.Segments{Ends: []int64{f.flat.Len()}, Shares: [][]float64{even}}, nil
	}
	s, err := niche.FromNumbers(values, models)
	if err == nil && s.Len() != f.flat.Len() {
		err = fmt.Errorf("segments of %d weights, not of %d", s.Len(), f.flat.Len())
	}
	return s, err
}

// fillPieces is Fill of a niche merge.
func (f *Family) fillPieces(values []float64) (*Recipe, error) {
	s, err := f.pieced(values)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.recipe.name, err)
	}
	r := *f.recipe
	r.Search, r.pieces.segments = nil, s
	r.Init = nil // a mix of the first networks names them
	return r.reread()
}

// byTensor is the pieces of each tensor.
func (f *Family) byTensor(s niche.Segments) map[string]*merge.Pieces {
	out, most := map[string]*merge.Pieces{}, 0
	for name, list := range f.flat.Pieces(s) {
		p := &merge.Pieces{Columns: f.flat.Columns}
		for _, piece := range list {
			p.Ends, p.Shares = append(p.Ends, piece.End), append(p.Shares, piece.Shares)
		}
		most = max(most, len(list))
		out[name] = p
	}
	for _, p := range out {
		p.Most = most
	}
	return out
}
