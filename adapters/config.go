package adapters

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// ConfigName and WeightsName are the files of a PEFT adapter; FileName is what diffusers
// calls the file of any other in a folder.
const (
	ConfigName  = "adapter_config.json"
	WeightsName = "adapter_model.safetensors"
	FileName    = "pytorch_lora_weights.safetensors"
)

// Folder reports whether the output is PEFT's, a folder with a configuration.
func (s *Set) Folder() bool { return s.folder != "" }

// Config is the adapter_config.json of a sum: the first adapter's, with the ranks that
// are written and scales of 1.
func (s *Sum) Config() ([]byte, error) {
	ranks := map[string]int{}
	for _, e := range s.list {
		ranks[e.Name] = e.rank
	}
	config, err := s.set.firstConfig()
	if err != nil {
		return nil, err
	}
	same := len(ranks) == len(s.set.own[0])
	for _, m := range s.set.own[0] {
		same = same && ranks[m.Name] > 0
	}
	if !same {
		config.targets(ranks)
	}
	config.ranks(ranks)
	config.set("lora_bias", s.set.biases)
	return config.text()
}

// Config is the first adapter's adapter_config.json, for averages of factors: these
// have its ranks and its scales.
func (s *Set) Config() ([]byte, error) {
	config, err := s.firstConfig()
	if err != nil {
		return nil, err
	}
	return config.text()
}

func (s *Set) firstConfig() (*peftConfig, error) {
	path := filepath.Join(s.folder, ConfigName)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c := &peftConfig{}
	if err := json.Unmarshal(text, &c.values); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// peftConfig is an adapter_config.json. PEFT writes its keys sorted.
type peftConfig struct{ values map[string]any }

func (c *peftConfig) set(key string, value any) { c.values[key] = value }

func (c *peftConfig) text() ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(c.values)
	return out.Bytes(), err
}

// ranks says the rank of each module, and a scale of 1. The most common one is r; the
// others are patterns, which match whole names or their ends after a dot: longer names
// first.
func (c *peftConfig) ranks(of map[string]int) {
	count := map[int]int{}
	for _, r := range of {
		count[r]++
	}
	most := 0
	for r, n := range count {
		if n > count[most] || n == count[most] && r < most {
			most = r
		}
	}
	pattern := orderedInts{}
	for name, r := range of {
		if r != most {
			pattern = append(pattern, entry{asPattern(name), r})
		}
	}
	slices.SortFunc(pattern, func(a, b entry) int {
		return cmp.Or(len(b.name)-len(a.name), cmp.Compare(a.name, b.name))
	})
	c.set("r", most)
	c.set("lora_alpha", most)
	c.set("rank_pattern", pattern)
	c.set("alpha_pattern", pattern)
	c.set("use_rslora", false)
	c.set("init_lora_weights", true)
	c.set("inference_mode", true)
	c.set("peft_type", "LORA")
}

// asPattern is a regular expression for a name: the name itself, as PEFT writes it,
// where it holds nothing special but dots.
func asPattern(name string) string {
	if quoted := regexp.QuoteMeta(name); strings.ReplaceAll(quoted, `\.`, ".") != name {
		return quoted
	}
	return name
}

// targets names the modules one by one.
func (c *peftConfig) targets(of map[string]int) {
	var names []string
	for name := range of {
		names = append(names, name)
	}
	slices.Sort(names)
	c.set("target_modules", names)
	for _, key := range []string{"exclude_modules", "layers_pattern", "layers_to_transform"} {
		c.set(key, nil)
	}
}

type entry struct {
	name  string
	value int
}

// orderedInts is a JSON object whose order matters.
type orderedInts []entry

// MarshalJSON writes the entries in their order.
func (o orderedInts) MarshalJSON() ([]byte, error) {
	out := []byte("{")
	for i, e := range o {
		if i > 0 {
			out = append(out, ',')
		}
		name, err := json.Marshal(e.name)
		if err != nil {
			return nil, err
		}
		out = append(out, name...)
		out = fmt.Appendf(out, ":%d", e.value)
	}
	return append(out, '}'), nil
}
