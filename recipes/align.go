package recipes

import (
	"fmt"
	"strconv"
	"strings"
)

// Align says that each model's units are put in the order in which it lies nearest to
// another model before they are merged.
type Align struct {
	// To is the model that stays as it is: one of the recipe's, "" for the base, else
	// the first.
	To string
	// Together asks for each model to be matched with the mean of all others, until none
	// changes; else each is matched with To.
	Together bool
	// Residual asks for the residual stream's coordinates, too.
	Residual bool
	// Seed keys the order in which units are visited.
	Seed uint64
}

// align decodes the block, once the models are known.
func (d *decoder) align(n *node, r *Recipe) {
	if n.null() {
		return
	}
	f := d.fields(n, "align", []string{"to", "together", "residual", "seed"})
	if f == nil {
		return
	}
	a := &Align{}
	if v, ok := f["to"]; ok && !v.null() {
		if a.To = d.ref(v, "to"); a.To != "" {
			models := r.Models()
			var seen set[string]
			for _, ref := range models {
				seen.add(ref)
			}
			if seen.add(a.To) {
				hint := d.didYouMean(a.To, models)
				if hint == "" {
					hint = "the models are " + strings.Join(models, ", ")
				}
				d.hint(v.place, hint, "models are aligned to one of the recipe's, and %s is none", shorten(a.To))
			}
		}
	}
	for key, to := range map[string]*bool{"together": &a.Together, "residual": &a.Residual} {
		if v, ok := f[key]; ok && !v.null() {
			yes, isBool := v.boolean()
			if !isBool {
				d.at(v.place, "%s is true or false, not %s", key, v.describe())
			}
			*to = yes
		}
	}
	if v, ok := f["seed"]; ok && !v.null() {
		a.Seed = d.seed(v, "seed")
	}
	switch {
	case r.Init != nil:
		d.hint(n.place, "leave align out, or name models", "networks that begin as noise have no units to align")
	case r.Adapters != nil:
		d.hint(n.place, "leave align out: adapters of one model are aligned by it", "what adapters change has no units of its own")
	}
	r.Align = a
}

// AlignedTo returns the model to which the others are aligned, "" without an align block.
func (r *Recipe) AlignedTo() string {
	switch {
	case r.Align == nil:
		return ""
	case r.Align.To != "":
		return r.Align.To
	case r.Base() != "":
		return r.Base()
	}
	return r.Models()[0]
}

// Aligned returns the digest of the orders that provenance.align pins, "" without one.
func (r *Recipe) Aligned() string {
	if n, ok := r.provenance.get("align"); ok {
		return n.text
	}
	return ""
}

func (a *Align) encode(n *node) {
	if a == nil {
		return
	}
	block := &node{kind: mapNode, flow: true}
	if a.To != "" {
		block.put("to", word(a.To))
	}
	if a.Together {
		block.put("together", boolNode(true))
	}
	if a.Residual {
		block.put("residual", boolNode(true))
	}
	if a.Seed != 0 {
		block.put("seed", &node{text: strconv.FormatUint(a.Seed, 10)})
	}
	n.put("align", block)
}

// renamed is the block with another reference.
func (a *Align) renamed(to func(ref string) string) *Align {
	if a == nil || a.To == "" {
		return a
	}
	b := *a
	b.To = to(a.To)
	return &b
}

// String says in words what is aligned.
func (a *Align) String() string {
	how := "each to it"
	if a.Together {
		how = "each to the mean of the others"
	}
	if a.Residual {
		how += ", with the residual stream"
	}
	return fmt.Sprintf("%s, seed %d", how, a.Seed)
}
