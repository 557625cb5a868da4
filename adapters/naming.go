package adapters

import (
	"strings"

	"github.com/mergevo/mergevo/tensors/view"
)

// flatStarts begin the names of modules in kohya's naming, where the first adapter has
// none of that part to take it from.
var flatStarts = map[string]string{"denoiser": "lora_unet_", "text_encoder": "lora_te_", "text_encoder_2": "lora_te2_", "text_encoder_3": "lora_te3_", "": "lora_unet_"}

// named is a module that the first adapter leaves alone, under the name that it would
// have there, or says why there is none.
func (s *Set) named(m view.Module) (view.Module, string) {
	first := s.own[0]
	like := first[0]
	start := ""
	for _, f := range first {
		if f.Part == m.Part {
			like, start = f, strings.TrimSuffix(flat(f.Name), f.Rest)
			break
		}
	}
	isFlat := !strings.Contains(first[0].Name, ".") && s.folder == ""
	switch dotted := strings.Contains(m.Name, "."); {
	case isFlat:
		if start == "" {
			start = flatStarts[m.Part]
		}
		m.Name = start + m.Rest
	case !dotted && m.Part != "":
		return m, "the first adapter leaves it alone, and its name cannot be written with dots as there; list this adapter first"
	case s.folder != "":
		if _, rest, ok := strings.Cut(m.Name, "."); ok && m.Part != "" {
			m.Name = rest
		}
	case m.Part == "" && like.Part != "":
		head, _, _ := strings.Cut(like.Name, ".")
		m.Name = head + "." + m.Name
	}
	m.Naming = like.Naming
	m.Name = strings.Replace(m.Name, ".processor.", ".", 1)
	if strings.HasPrefix(m.Naming.Down, "_") { // of attention processors alone
		m.Naming.Down, m.Naming.Up = ".lora.down.weight", ".lora.up.weight"
	}
	m.Down, m.Up, m.Alpha = "", "", ""
	return m, ""
}

func flat(name string) string { return strings.ReplaceAll(name, ".", "_") }

// down, up, alpha and bias name the tensors that are written of a module.
func (s *Set) down(m module) string {
	switch {
	case s.folder != "" && m.Embedding:
		return "base_model.model." + m.Name + ".lora_embedding_A"
	case s.folder != "":
		return "base_model.model." + m.Name + s.naming.Down
	}
	return m.Name + m.Naming.Down
}

func (s *Set) up(m module) string {
	switch {
	case s.folder != "" && m.Embedding:
		return "base_model.model." + m.Name + ".lora_embedding_B"
	case s.folder != "":
		return "base_model.model." + m.Name + s.naming.Up
	}
	return m.Name + m.Naming.Up
}

func (s *Set) alpha(m module) string { return m.Name + ".alpha" }

func (s *Set) upBias(m module) string {
	if s.folder != "" {
		return "base_model.model." + m.Name + ".lora_B.bias"
	}
	return m.Name + ".lora_B.bias"
}
