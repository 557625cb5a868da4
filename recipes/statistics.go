package recipes

import (
	"maps"
	"slices"
	"strings"

	"github.com/mergevo/mergevo/merge"
)

// Statistics are files that describe a model's data, beside the model in a recipe, a key
// a kind: fisher, gram.

// modelKeys are the keys of an entry of models or of sources.
func modelKeys(own ...string) []string {
	for _, s := range merge.Statistics() {
		own = append(own, s.Name)
	}
	return append(own, "parameters")
}

// statistics decodes the files of a model, by kind.
func (d *decoder) statistics(r *Recipe, f map[string]*node) map[*merge.Statistic]string {
	files := map[*merge.Statistic]string{}
	for _, s := range merge.Statistics() {
		n, ok := f[s.Name]
		if !ok || n.null() {
			continue
		}
		if len(r.method.methods) > 0 && !r.reads(s) {
			var by []string
			for _, m := range merge.Methods() {
				if m.Statistic == s {
					by = append(by, m.Name)
				}
			}
			d.hint(n.place, "it is for "+strings.Join(by, " and "), "%v reads no %s file", r.method.table, s.Name)
			continue
		}
		files[s] = d.named(n, s.Name)
	}
	return files
}

// reads reports whether one of the recipe's methods reads a kind of statistic.
func (r *Recipe) reads(s *merge.Statistic) bool {
	return slices.ContainsFunc(r.method.methods, func(m *merge.Method) bool { return m.Statistic == s })
}

// kept are the files that the recipe's methods read.
func (r *Recipe) kept(files map[*merge.Statistic]string) map[*merge.Statistic]string {
	out := maps.Clone(files)
	maps.DeleteFunc(out, func(s *merge.Statistic, _ string) bool { return !r.reads(s) })
	return out
}

// described checks that the models of a slice have the files that a method reads.
func (d *decoder) described(r *Recipe, m *merge.Method, in []int) {
	if m.Statistic == nil || d.meant[m.Statistic.Name] {
		return
	}
	for _, i := range in {
		if mod := &r.models[i]; mod.refs != nil {
			d.at(mod.place, "%s needs a %s file of each model: none can be chosen", m.Name, m.Statistic.Name)
		} else if mod.files[m.Statistic] == "" {
			d.hint(mod.place, m.Statistic.Command+" makes one; name it with "+m.Statistic.Name+": FILE beside the model",
				"%s has no %s file, which %s needs", shorten(mod.ref), m.Statistic.Name, m.Name)
		}
	}
}

// Statistics lists the kinds of files that the recipe's methods read.
func (r *Recipe) Statistics() []*merge.Statistic {
	return slices.DeleteFunc(merge.Statistics(), func(s *merge.Statistic) bool { return !r.reads(s) })
}

// Statistics returns the file of a kind that the recipe names for each of the parents;
// "" where it names none, as for a base.
func (a *Arrangement) Statistics(s *merge.Statistic) []string {
	files := make([]string, len(a.Parents))
	for i := range a.recipe.slices {
		for j, m := range a.recipe.slices[i].models {
			if at := a.at[i][j]; at >= 0 {
				files[at] = a.recipe.models[m].files[s]
			}
		}
	}
	return files
}
