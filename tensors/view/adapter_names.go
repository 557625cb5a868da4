package view

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mergevo/mergevo/tensors"
)

// module is what an adapter holds for one module of the model, by the names of the
// tensors in its file; "" is none.
type module struct {
	name      string // in the model
	a, b      string // factors: rank × inputs and outputs × rank
	bias      string // for the module's bias
	magnitude string // DoRA's lengths, one an output
	embedding bool   // whose weight lies inputs × outputs
	rank      int
	scale     float32
	copied    string // PEFT's copy of the model's own weight, of embeddings and heads

	// Of adapters in one file: the middle factor of a convolution, rank × rank × kernel,
	// what its scale is times the rank, and the row of the naming of its factors.
	mid, alpha string
	naming     int
	part       part
	rest       string // the name behind the part, flattened
}

// whole is a tensor that replaces one of the model.
type whole struct {
	name string // in the model
	from string // in the adapter's file
}

// sortOut reads the names of the adapter's tensors:
//
//	base_model.model.<module>.lora_A[.<adapter>].weight, lora_B likewise and with .bias
//	base_model.model.<module>.lora_embedding_A[.<adapter>], _B
//	base_model.model.<module>.lora_magnitude_vector[.<adapter>][.weight]
//	base_model.model.<module>[.base_layer | .modules_to_save[.<adapter>]].<parameter>
func (a *Adapter) sortOut() error {
	modules := map[string]*module{}
	wholes := map[string]string{}
	var problems []string
	for _, t := range a.weights.Tensors() {
		name := strings.TrimPrefix(t.Name, "base_model.model.")
		if !t.DType.Float() && strings.Contains(name, ".lora_") {
			problems = append(problems, fmt.Sprintf("%s: is %v; convert it to a floating-point type", t.Name, t.DType))
			continue
		}
		i := strings.LastIndex(name, ".lora_")
		if i < 0 {
			name, ok := wholeName(name)
			switch {
			case !ok:
				problems = append(problems, t.Name+": not a name that PEFT gives to what can be merged")
			case wholes[name] != "":
				problems = append(problems, fmt.Sprintf("%s: another value for %s than %s; keep one", t.Name, name, wholes[name]))
			default:
				wholes[name] = t.Name
			}
			continue
		}
		m := modules[name[:i]]
		if m == nil {
			m = &module{name: name[:i]}
			modules[m.name] = m
		}
		field, embedding := m.field(name[i+1:])
		switch {
		case field == nil:
			problems = append(problems, t.Name+": not a name that PEFT gives to what can be merged")
		case *field != "":
			problems = append(problems, fmt.Sprintf("%s: a second one beside %s; keep one adapter a file", t.Name, *field))
		default:
			*field = t.Name
			m.embedding = m.embedding || embedding
		}
	}
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		m := modules[name]
		if from := wholes[name+".weight"]; strings.HasSuffix(from, ".base_layer.weight") {
			m.copied = from
		}
		if what := a.complete(m); what != "" {
			problems = append(problems, m.name+": "+what)
		}
		a.modules = append(a.modules, *m)
	}
	for _, name := range slices.Sorted(maps.Keys(wholes)) {
		a.whole = append(a.whole, whole{name, wholes[name]})
	}
	if len(a.modules)+len(a.whole) == 0 {
		problems = append(problems, "holds no tensors")
	}
	return refuse(a.weights.Path()+" is not the adapter that its config describes", problems)
}

// field returns where the name of a tensor of the module is kept, nil for one that
// is not known, and whether only embeddings have it.
func (m *module) field(rest string) (field *string, embedding bool) {
	parts := strings.Split(rest, ".")
	if n := len(parts); n == 3 || n == 2 && (strings.HasPrefix(parts[0], "lora_embedding") || parts[0] == "lora_magnitude_vector" && parts[1] != "weight") {
		parts = slices.Delete(parts, 1, 2) // the adapter's name
	}
	switch strings.Join(parts, ".") {
	case "lora_A.weight":
		return &m.a, false
	case "lora_B.weight":
		return &m.b, false
	case "lora_B.bias":
		return &m.bias, false
	case "lora_embedding_A":
		return &m.a, true
	case "lora_embedding_B":
		return &m.b, true
	case "lora_magnitude_vector", "lora_magnitude_vector.weight":
		return &m.magnitude, false
	}
	return nil, false
}

// wholeName returns the model's name for a tensor that is saved whole.
func wholeName(name string) (string, bool) {
	parts := strings.Split(name, ".")
	for i, p := range parts {
		switch p {
		case "base_layer":
			parts = slices.Delete(parts, i, i+1)
		case "modules_to_save":
			end := i + 1
			if len(parts)-i > 2 {
				end++ // the adapter's name
			}
			parts = slices.Delete(parts, i, end)
		case "original_module", "token_adapter":
			return "", false
		default:
			continue
		}
		break
	}
	return strings.Join(parts, "."), !strings.HasPrefix(name, "lora_")
}

// complete fills in rank and scale, and says what is wrong with the module, or "".
func (a *Adapter) complete(m *module) string {
	if m.a == "" || m.b == "" {
		return "has one of lora_A and lora_B, not both; save the adapter again"
	}
	A, _ := a.weights.Lookup(m.a)
	B, _ := a.weights.Lookup(m.b)
	m.rank, m.scale = a.config.scale(m.name)
	switch {
	case len(A.Shape) < 2 || len(A.Shape) != len(B.Shape) || m.embedding && len(A.Shape) > 2 || !allOnes(B.Shape[2:]) || A.Len() == 0 || B.Len() == 0:
		return fmt.Sprintf("lora_A %v and lora_B %v are no two factors of a weight", A.Shape, B.Shape)
	case A.Shape[0] != m.rank || B.Shape[1] != m.rank:
		return fmt.Sprintf("lora_A %v and lora_B %v are not of rank %d, which the config gives it", A.Shape, B.Shape, m.rank)
	case a.config.Dora && m.magnitude == "":
		return "has no lora_magnitude_vector, but the config sets use_dora"
	case !a.config.Dora && m.magnitude != "":
		return "has a lora_magnitude_vector, but the config does not set use_dora"
	}
	if t, ok := a.weights.Lookup(m.magnitude); ok && t.Len() != B.Shape[0] {
		return fmt.Sprintf("lora_magnitude_vector %v does not give each output of lora_B %v a length", t.Shape, B.Shape)
	}
	if t, ok := a.weights.Lookup(m.bias); ok && !slices.Equal(t.Shape, B.Shape[:1]) {
		return fmt.Sprintf("the bias %v of lora_B %v does not give each output a value", t.Shape, B.Shape)
	}
	return ""
}

func allOnes(shape []int) bool {
	return !slices.ContainsFunc(shape, func(d int) bool { return d != 1 })
}

// match returns the tensor of src that a name of the adapter means, or what is wrong.
// A head or a wrapper adds or takes the first component, "model." or "transformer.".
func match(src tensors.Source, name string) (tensors.Info, string) {
	if t, ok := src.Lookup(name); ok {
		return t, ""
	}
	var found []tensors.Info
	_, bare, _ := strings.Cut(name, ".")
	if !strings.Contains(bare, ".") {
		bare = "" // "weight" alone says nothing
	}
	for _, t := range src.Tensors() {
		if _, rest, ok := strings.Cut(t.Name, "."); ok && rest == name || t.Name == bare {
			found = append(found, t)
		}
	}
	switch len(found) {
	case 0:
		return tensors.Info{}, "matches no tensor"
	case 1:
		return found[0], ""
	}
	return tensors.Info{}, fmt.Sprintf("may be %s or %s", found[0].Name, found[1].Name)
}
