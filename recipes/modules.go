package recipes

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mergevo/mergevo/tensors"
)

// alsoCalled are the names under which checkpoints hold the modules that
// mergekit's architecture files name.
var alsoCalled = map[string][]string{
	"text_decoder":          {"language_model", "text_model"},
	"vision_tower":          {"vision_tower", "vision_model", "visual"},
	"vision_model":          {"vision_tower", "visual"},
	"multi_modal_projector": {"merger", "projector", "mm_projector"},
}

// rest are the modules that hold what no other does.
var rest = []string{"text_decoder", "default", "decoder"}

// moduleOf returns the position of the module that a tensor is of, -1 if none:
// the one named by the last component of the tensor's name that names one.
func (r *Recipe) moduleOf(name string) int {
	best, last := -1, -1
	parts := strings.Split(name, ".")
	for i, m := range r.modules {
		for _, called := range append([]string{m.name}, alsoCalled[m.name]...) {
			if at := lastRun(parts, strings.Split(called, ".")); at > last {
				best, last = i, at
			}
		}
	}
	if best >= 0 {
		return best
	}
	return slices.IndexFunc(r.modules, func(m module) bool { return slices.Contains(rest, m.name) })
}

// lastRun returns where a run of components last begins, -1 if nowhere.
func lastRun(parts, run []string) int {
	for i := len(parts) - len(run); i >= 0; i-- {
		if slices.Equal(parts[i:i+len(run)], run) {
			return i
		}
	}
	return -1
}

// ofModule keeps the tensors of a slice's module.
func (p *placing) ofModule(s *slice, infos []tensors.Info) []tensors.Info {
	if s.module < 0 {
		return infos
	}
	var out []tensors.Info
	for _, info := range infos {
		if p.recipe.moduleOf(info.Name) == s.module {
			out = append(out, info)
		}
	}
	return out
}

// checkModules reports tensors that no module holds, and modules that hold none.
func (p *placing) checkModules() {
	r := p.recipe
	held := make([]bool, len(r.modules))
	heads, lost := map[string]bool{}, map[string]bool{}
	for _, infos := range p.models {
		for _, info := range infos {
			head := strings.Join(strings.Split(info.Name, ".")[:min(2, strings.Count(info.Name, ".")+1)], ".")
			heads[head] = true
			if m := r.moduleOf(info.Name); m >= 0 {
				held[m] = true
			} else {
				lost[head] = true
			}
		}
	}
	for i, m := range r.modules {
		if !held[i] {
			p.d.hint(m.place, "the tensors' names begin with "+some(heads), "module %s holds no tensor", shorten(m.name))
		}
	}
	if len(lost) > 0 {
		p.d.hint(r.modules[0].place, "add a module for them, such as text_decoder, which holds what no other does",
			"no module holds the tensors that begin with %s", some(lost))
	}
}

func some(words map[string]bool) string {
	list := slices.Sorted(maps.Keys(words))
	if len(list) > 8 {
		return strings.Join(list[:8], ", ") + fmt.Sprintf(" and %d more", len(list)-8)
	}
	return strings.Join(list, ", ")
}
