package recipes

import "github.com/mergevo/mergevo/merge"

// NoChange is the base of task vectors where adapters are merged with each other and
// the recipe names none: no change of any weight. No file or model has such a name.
const NoChange = "no change"

// Adapters says how adapters are merged with each other; a recipe whose models are
// adapters needs no such block.
type Adapters struct {
	// Rank is the largest rank that is written, 0 for no bound; Energy the part of the
	// sum of squares that must be kept, 0 where it does not say.
	Rank   int
	Energy float64
	// Factors asks for averages of the factors A and B apart, not of their products.
	Factors bool
}

// adapters decodes the block, before the models' rules.
func (d *decoder) adapters(r *Recipe, n *node) {
	if n.null() {
		return
	}
	f := d.fields(n, "adapters", []string{"rank", "energy", "space"})
	if f == nil {
		return
	}
	a := &Adapters{}
	if v, ok := f["rank"]; ok && !v.null() {
		a.Rank = d.whole(v, "rank", 1, 1<<20)
	}
	if v, ok := f["energy"]; ok && !v.null() {
		if a.Energy = d.real(v, "energy", 0, 1); a.Energy == 0 {
			d.hint(v.place, "energy: 0.99 keeps as much of the sum of squares", "energy is a part in (0, 1], not %s", v.describe())
		}
	}
	if v, ok := f["space"]; ok && !v.null() {
		a.Factors = d.oneOf(v, "space", "product", "factors") == "factors"
	}
	if a.Factors && (a.Rank > 0 || a.Energy > 0) {
		d.hint(n.place, "leave rank and energy out, or space", "averages of factors keep the rank that all have")
	}
	r.Adapters = a
}

// changeOnly gives methods that need a base the one that changes nothing, where a
// recipe says that its models are adapters.
func (r *Recipe) changeOnly() {
	if r.Adapters == nil || r.Adapters.Factors || r.base != "" {
		return
	}
	for _, m := range r.method.methods {
		if m.Base == merge.BaseRequired {
			r.base = NoChange
		}
	}
}

func (a *Adapters) encode(n *node) {
	if a == nil {
		return
	}
	block := &node{kind: mapNode, flow: true}
	if a.Rank > 0 {
		block.put("rank", intNode(a.Rank))
	}
	if a.Energy > 0 {
		block.put("energy", &node{text: formatNumber(a.Energy)})
	}
	if a.Factors {
		block.put("space", word("factors"))
	}
	n.put("adapters", block)
}
