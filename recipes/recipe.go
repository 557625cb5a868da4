package recipes

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/mergevo/mergevo/tensors"
)

// Recipe is a recipe that was read and found valid, as far as that can be known
// without its models.
type Recipe struct {
	// Search is the file's search block, nil without one.
	Search *Search

	name     string
	root     *node // as read: [Recipe.Set] edits it, [Recipe.ErrorAt] finds places in it
	method   methodChoice
	base     string
	baseAt   place
	models   []model
	sliced   bool // written as one slice; the same merge as models
	slice    scope
	residual *node // the slice's residual_weight, which does nothing
	global   scope
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

// model is an entry of models, or a source of the slice.
type model struct {
	place
	ref     string
	layers  int // the end of layer_range; 0 without one
	rangeAt place
	params  scope
}

// Parse reads a recipe. The name is used in messages. Every problem is an
// [*Error]; several are joined, in the order of their places.
func Parse(name string, data []byte) (*Recipe, error) {
	root, err := parseYAML(name, data)
	if err != nil {
		return nil, err
	}
	return decodeRecipe(name, root)
}

// ReadFile reads a recipe of at most 16 MiB.
func ReadFile(path string) (*Recipe, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var data bytes.Buffer
	// One byte more than allowed, so that Parse can say it is too large.
	if _, err := io.Copy(&data, io.LimitReader(f, maxBytes+1)); err != nil {
		return nil, err
	}
	return Parse(path, data.Bytes())
}

// Base returns the base model's reference, "" without one.
func (r *Recipe) Base() string { return r.base }

// Models returns the references of the models, each once: the base first, if
// there is one, then the others in the order of the file.
func (r *Recipe) Models() []string {
	var refs []string
	if r.base != "" {
		refs = append(refs, r.base)
	}
	for _, m := range r.models {
		if m.ref != r.base {
			refs = append(refs, m.ref)
		}
	}
	return refs
}

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
	return r.method.hole() || slices.ContainsFunc(r.scopes(), func(s *scope) bool {
		return slices.ContainsFunc(s.params, func(p parameter) bool { return len(p.holes()) > 0 })
	})
}

// scopes lists every parameters mapping in the order they are written.
func (r *Recipe) scopes() []*scope {
	var all []*scope
	for i := range r.models {
		all = append(all, &r.models[i].params)
	}
	return append(all, &r.slice, &r.global)
}

// Notes returns a line for each thing the recipe says that changes nothing.
func (r *Recipe) Notes() []string { return slices.Clone(r.notes) }

func (r *Recipe) note(p place, format string, args ...any) {
	where := fmt.Sprintf("%s:%d: ", p.src.name, p.line)
	r.notes = append(r.notes, where+fmt.Sprintf(format, args...))
}
