package recipes

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// namer gives genes names that a person can read: weight[math].layers.3.
type namer struct {
	short []string // by model
	of    map[*scope]int
	seen  set[string]
}

func newNamer(r *Recipe) *namer {
	n := &namer{of: map[*scope]int{}}
	count := map[string]int{} // of the models by short name
	for _, ref := range r.Models() {
		count[shortRef(ref)]++
	}
	for i, m := range r.models {
		n.of[&r.models[i].params] = i
		short := shortRef(m.ref)
		if count[short] > 1 {
			short = m.ref
		}
		if m.to != 0 && len(r.slices) > 1 {
			short = fmt.Sprintf("%s %d:%d", short, m.from, m.to)
		}
		n.short = append(n.short, short)
	}
	return n
}

// shortRef is the last part of a path or of org/name@revision.
func shortRef(ref string) string {
	short := path.Base(strings.TrimRight(ref, "/"))
	if before, _, ok := strings.Cut(short, "@"); ok && before != "" {
		short = before
	}
	return short
}

// walk visits a parameter's holes with a function that names them: for a model,
// -1 where per does not tell models apart.
func (n *namer) walk(s *scope, p *parameter, visit func(*hole, func(model int) string)) {
	own, isModel := n.of[s]
	named := func(at string) func(int) string {
		return func(model int) string {
			if isModel {
				model = own
			}
			if model < 0 {
				return p.name + at
			}
			return p.name + "[" + n.short[model] + "]" + at
		}
	}
	points := func(s *setting, at string) {
		if s.hole != nil {
			visit(s.hole, named(at))
		}
		for i := range s.gradient {
			if h := s.gradient[i].hole; h != nil {
				visit(h, named(at+"@"+strconv.Itoa(i)))
			}
		}
	}
	points(&p.setting, "")
	for i := range p.filters {
		e := &p.filters[i]
		filter := e.filter
		if filter == "" {
			filter = "*"
		}
		points(&e.value, "."+filter)
	}
}

// behind puts a group's label behind a name, which may end in the same word, as where the
// filter is layers: layers.0-9, not layers.layers.0-9.
func behind(name, label string) string {
	name = strings.TrimSuffix(name, ".")
	word, _, _ := strings.Cut(label, ".")
	if at := strings.TrimSuffix(name, "."+word); at != name {
		name = at
	}
	return name + "." + label
}

// unique adds a number to a name that another gene has.
func (n *namer) unique(name string) string {
	for i, tried := 2, name; ; i++ {
		if n.seen.add(tried) {
			return tried
		}
		tried = name + "#" + strconv.Itoa(i)
	}
}
