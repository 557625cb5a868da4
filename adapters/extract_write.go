package adapters

import (
	"strings"

	"github.com/mergevo/mergevo/tensors"
)

// Layout lists the tensors that are written, by PEFT's names.
func (x *Extracted) Layout() []tensors.Info {
	var out []tensors.Info
	for _, e := range x.modules {
		up := []int{e.shape[0], e.rank}
		for range e.shape[2:] {
			up = append(up, 1)
		}
		out = append(out,
			tensors.Info{Name: peftName(e.name, "A"), DType: x.how.DType, Shape: append([]int{e.rank}, e.shape[1:]...)},
			tensors.Info{Name: peftName(e.name, "B"), DType: x.how.DType, Shape: up})
	}
	return out
}

func peftName(module, factor string) string {
	return "base_model.model." + module + ".lora_" + factor + ".weight"
}

// Write writes them.
func (x *Extracted) Write(w *tensors.Writer) error {
	for _, e := range x.modules {
		if err := w.WriteAt(e.right, peftName(e.name, "A"), 0); err != nil {
			return err
		}
		if err := w.WriteAt(e.left, peftName(e.name, "B"), 0); err != nil {
			return err
		}
	}
	return nil
}

// Config is the adapter_config.json.
func (x *Extracted) Config() ([]byte, error) {
	ranks := map[string]int{}
	for _, e := range x.modules {
		ranks[e.name] = e.rank
	}
	c := &peftConfig{values: map[string]any{
		"base_model_name_or_path": x.how.Base, "bias": "none", "fan_in_fan_out": x.how.Turned,
		"lora_dropout": 0.0, "modules_to_save": nil, "task_type": nil,
	}}
	if x.how.Task != "" {
		c.set("task_type", x.how.Task)
	}
	c.ranks(ranks)
	if last := x.lastNames(ranks); last != nil {
		c.set("target_modules", last)
	} else {
		c.targets(ranks)
	}
	return c.text()
}

// lastNames are the ends of the modules' names, as configurations list them, where they
// stand for these modules and no others; else nil.
func (x *Extracted) lastNames(in map[string]int) []string {
	var names []string
	has := map[string]bool{}
	for _, e := range x.modules {
		if last := e.name[strings.LastIndex(e.name, ".")+1:]; !has[last] {
			has[last] = true
			names = append(names, last)
		}
	}
	for _, m := range x.whole {
		if last := m[strings.LastIndex(m, ".")+1:]; has[last] && in[m] == 0 {
			return nil
		}
	}
	return names
}
