package view

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// sortOutFile reads the names of the tensors of an adapter in one file, by [Namings].
func (a *Adapter) sortOutFile() error {
	modules := map[string]*module{}
	var problems []string
	for _, t := range a.weights.Tensors() {
		if kind := kindOf(t.Name); kind != "" {
			return kindError(a.weights.Path(), t.Name, kind)
		}
		name, f, ok := cutField(t.Name)
		if !ok {
			problems = append(problems, t.Name+": not a name of an adapter's tensor")
			continue
		}
		if strings.HasPrefix(name, "base_model.model.") {
			return fmt.Errorf("%s: %s is named as PEFT names it, but no adapter_config.json beside it says its scale", a.weights.Path(), t.Name)
		}
		if !t.DType.Float() {
			problems = append(problems, fmt.Sprintf("%s: is %v; convert it to a floating-point type", t.Name, t.DType))
			continue
		}
		m := modules[name]
		if m == nil {
			m = &module{name: name}
			m.part, m.rest = cutPart(name)
			modules[name] = m
		}
		to := map[string]*string{"down": &m.a, "up": &m.b, "mid": &m.mid, "alpha": &m.alpha, "bias": &m.bias}[f.what]
		if *to != "" {
			problems = append(problems, fmt.Sprintf("%s: a second one beside %s; keep one", t.Name, *to))
			continue
		}
		*to = t.Name
		m.naming = max(m.naming, f.naming)
	}
	configs, err := a.headerConfigs()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		m := modules[name]
		a.config = configs.of(name)
		what, err := a.completeFile(m)
		if err != nil {
			return err
		}
		if what != "" {
			problems = append(problems, m.name+": "+what)
		}
		a.modules = append(a.modules, *m)
	}
	a.config = &adapterConfig{}
	if len(a.modules) == 0 {
		problems = append(problems, "holds no tensors")
	}
	return refuse(a.weights.Path()+" is not an adapter that can be read", problems)
}

// completeFile fills in rank and scale, and says what is wrong with the module, or "".
func (a *Adapter) completeFile(m *module) (string, error) {
	if m.a == "" || m.b == "" {
		n := namings[max(1, m.naming)]
		return fmt.Sprintf("has not both %s and %s; save the adapter again", strings.TrimPrefix(n.Down, "."), strings.TrimPrefix(n.Up, ".")), nil
	}
	A, _ := a.weights.Lookup(m.a)
	B, _ := a.weights.Lookup(m.b)
	if len(A.Shape) < 2 || len(A.Shape) != len(B.Shape) || A.Len() == 0 || B.Len() == 0 || !allOnes(B.Shape[2:]) || A.Shape[0] != B.Shape[1] {
		return fmt.Sprintf("%s %v and %s %v are no two factors of a weight", m.a, A.Shape, m.b, B.Shape), nil
	}
	m.rank, m.scale = A.Shape[0], 1
	if mid, ok := a.weights.Lookup(m.mid); ok && (len(mid.Shape) != len(A.Shape) || len(mid.Shape) < 3 || mid.Shape[0] != m.rank || mid.Shape[1] != m.rank || !allOnes(A.Shape[2:]) || mid.Len() == 0) {
		return fmt.Sprintf("%s %v does not stand between %s %v and %s %v", m.mid, mid.Shape, m.a, A.Shape, m.b, B.Shape), nil
	}
	if bias, ok := a.weights.Lookup(m.bias); ok && !slices.Equal(bias.Shape, B.Shape[:1]) {
		return fmt.Sprintf("%s %v does not give each output of %v a value", m.bias, bias.Shape, B.Shape), nil
	}
	if t, ok := a.weights.Lookup(m.alpha); ok {
		if t.Len() != 1 {
			return fmt.Sprintf("%s is %v, not one number", m.alpha, t.Shape), nil
		}
		alpha := make([]float32, 1)
		if err := a.weights.ReadAt(alpha, m.alpha, 0); err != nil {
			return "", err
		}
		m.scale = float32(float64(alpha[0]) / float64(m.rank))
		return "", nil
	}
	if a.config != nil {
		rank, scale := a.config.scale(m.name)
		if rank != m.rank {
			return fmt.Sprintf("%s %v is not of rank %d, which lora_adapter_metadata gives it", m.a, A.Shape, rank), nil
		}
		m.scale = scale
	}
	return "", nil
}

// headerConfigs are what diffusers writes into a file's header, a configuration for
// each part, by its prefix.
type headerConfigs map[string]*adapterConfig

// of returns the configuration of a module, nil without one.
func (h headerConfigs) of(module string) *adapterConfig {
	first, _, _ := strings.Cut(module, ".")
	return h[first]
}

func (a *Adapter) headerConfigs() (headerConfigs, error) {
	text, ok := a.weights.Metadata()["lora_adapter_metadata"]
	if !ok {
		return nil, nil
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return nil, fmt.Errorf("%s: lora_adapter_metadata in the header: %w", a.weights.Path(), err)
	}
	by := map[string]map[string]json.RawMessage{}
	for key, value := range all {
		part, key, ok := strings.Cut(key, ".")
		if !ok {
			continue
		}
		if by[part] == nil {
			by[part] = map[string]json.RawMessage{"peft_type": json.RawMessage(`"LORA"`)}
		}
		by[part][key] = value
	}
	out := headerConfigs{}
	for part, keys := range by {
		text, err := json.Marshal(keys)
		if err != nil {
			return nil, err
		}
		c, err := parseAdapterConfig(text)
		if err == nil && c.Dora {
			return nil, kindError(a.weights.Path(), "lora_adapter_metadata", "DoRA")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: lora_adapter_metadata in the header: %s: %w", a.weights.Path(), part, err)
		}
		out[part] = c
	}
	return out, nil
}
