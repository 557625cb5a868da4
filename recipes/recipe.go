package recipes

import (
	"fmt"
	"slices"

	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// Recipe is a recipe that was read and found valid, as far as that can be known
// without its models.
type Recipe struct {
	// Search is the file's search block, nil without one.
	Search *Search
	// Init are the networks that a recipe without models begins with, else nil.
	Init *Init
	// Tokenizer says whose vocabulary the output has, nil where the recipe does not.
	Tokenizer *Tokenizer
	// ChatTemplate is a template's name, "auto", or Jinja text; "" without one.
	ChatTemplate string
	// Adapters says how models that are adapters are merged, nil where it does not.
	Adapters *Adapters
	// Align says that models are aligned before they are merged, nil where it does not.
	Align *Align
	// AsMergekit asks for mergekit's numbers where ours differ by design; it is
	// the command line's, not the file's.
	AsMergekit bool

	name     string
	root     *node  // as read: [Recipe.Set] edits it, [Recipe.ErrorAt] finds places in it
	document string // what other documents of the file call this one's result
	method   methodChoice
	base     string
	baseAt   place
	adapted  string // the model that merged adapters are put on to be scored
	form     form
	models   []model // of all slices, in the order of the file
	slices   []slice // one for models
	modules  []module
	global   scope
	pieces   pieces
	flow     *flow // nil without such a block
	dtype    tensors.DType
	outDType tensors.DType
	seed     uint64
	// provenance is whatever the file says there, kept and written back.
	provenance *node
	notes      []string
}

// methodChoice is merge_method: one name, or several of which a search chooses.
type methodChoice struct {
	place
	table
	start    int
	hasStart bool
}

func (m methodChoice) hole() bool { return len(m.methods) > 1 }

// form is which of the three keys a recipe lists its models under.
type form uint8

const (
	asModels form = iota
	asSlices
	asModules
)

// model is an entry of models, or a source of a slice.
type model struct {
	place
	ref      string
	from, to int // layer_range, half open; to is 0 without one
	rangeAt  place
	// What a search chooses: among refs, and the ends of the range; ref, from and to
	// are then what it starts with.
	refs             []string
	fromHole, toHole *hole
	files            map[*merge.Statistic]string // that describe its data
	params           scope
}

// all lists the references that the model may be.
func (m *model) all() []string {
	if m.refs != nil {
		return m.refs
	}
	return []string{m.ref}
}

// slice is models that are merged with each other: a run of layers, or all.
type slice struct {
	place
	models   []int  // positions in the recipe's
	base     string // where another than the recipe's
	params   scope
	residual *node // residual_weight, which does nothing
	module   int   // position in the recipe's; -1 without modules
}

// module is a part of an architecture that has layers of its own.
type module struct {
	place
	name   string
	sliced bool // written with slices, not models
	slices []int
	params scope
}

// Base returns the base model's reference, "" without one.
func (r *Recipe) Base() string {
	if r.base == NoChange {
		return ""
	}
	return r.base
}

// Adapted returns the reference of the model that the recipe's models, which are adapters,
// are put on to be scored; "" without one.
func (r *Recipe) Adapted() string { return r.adapted }

// Models returns the references of the models, each once: the base first, if
// there is one, then the others in the order of the file.
func (r *Recipe) Models() []string {
	var refs []string
	if r.base != "" {
		refs = append(refs, r.base)
	}
	var seen set[string]
	seen.add(r.base)
	for _, s := range r.slices {
		if s.base != "" && seen.add(s.base) {
			refs = append(refs, s.base)
		}
		for _, i := range s.models {
			for _, ref := range r.models[i].all() {
				if seen.add(ref) {
					refs = append(refs, ref)
				}
			}
		}
	}
	return refs
}

// Seed keys what is drawn: the search, and the noise of stochastic methods.
func (r *Recipe) Seed() uint64 { return r.seed }

// MethodNames returns the merge method's name, or those a search may choose.
func (r *Recipe) MethodNames() []string {
	var names []string
	for _, m := range r.method.methods {
		names = append(names, m.Name)
	}
	return names
}

// HasHoles reports whether the recipe says a family of merges, not one.
func (r *Recipe) HasHoles() bool {
	return r.method.hole() || r.Stacked() || r.niched() && r.pieces.segments.Ends == nil || slices.ContainsFunc(r.scopes(), func(s *scope) bool {
		return slices.ContainsFunc(s.params, func(p parameter) bool { return len(p.holes()) > 0 })
	})
}

// scopes lists every parameters mapping in the order they are written.
func (r *Recipe) scopes() []*scope {
	var all []*scope
	for i := range r.slices {
		for _, m := range r.slices[i].models {
			all = append(all, &r.models[m].params)
		}
		all = append(all, &r.slices[i].params)
	}
	for i := range r.modules {
		all = append(all, &r.modules[i].params)
	}
	return append(all, &r.global)
}

// Notes returns a line for each thing the recipe says that changes nothing.
func (r *Recipe) Notes() []string { return slices.Clone(r.notes) }

func (r *Recipe) note(p place, format string, args ...any) {
	where := fmt.Sprintf("%s:%d: ", p.src.name, p.line)
	r.notes = append(r.notes, where+fmt.Sprintf(format, args...))
}
