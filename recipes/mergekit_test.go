package recipes_test

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/recipes"
)

// config is a mergekit configuration as a generic YAML reader sees it.
type config struct {
	Method     string         `yaml:"merge_method"`
	Base       string         `yaml:"base_model"`
	Models     []entry        `yaml:"models"`
	Slices     []slice        `yaml:"slices"`
	Parameters map[string]any `yaml:"parameters"`
}

type slice struct{ Sources []entry }

type entry struct {
	Model      string
	Parameters map[string]any
}

// evaluate is mergekit's evaluate_setting, as the reference script that was held
// against mergekit's own outputs has it.
func evaluate(setting any, name string, t float64) (float64, bool) {
	switch s := setting.(type) {
	case bool:
		if s {
			return 1, true
		}
		return 0, true
	case uint64:
		return float64(s), true
	case int64:
		return float64(s), true
	case float64:
		return s, true
	case []any:
		var numbers []float64
		for _, item := range s {
			if e, ok := item.(map[string]any); ok {
				filter, _ := e["filter"].(string)
				if filter == "" || filter == "*" || strings.Contains(name, filter) {
					return evaluate(e["value"], name, t)
				}
				continue
			}
			v, _ := evaluate(item, name, t)
			numbers = append(numbers, v)
		}
		if numbers == nil {
			return 0, false
		}
		at := t * float64(len(numbers)-1)
		i := int(at)
		frac := at - float64(i)
		return float64((1-frac)*numbers[i]) + float64(frac*numbers[min(len(numbers)-1, i+1)]), true
	}
	return 0, false
}

func layerT(name string, layers int) float64 {
	_, rest, ok := strings.Cut(name, ".layers.")
	if !ok {
		return 0
	}
	digits, _, _ := strings.Cut(rest, ".")
	n, _ := strconv.Atoi(digits)
	return float64(n) / float64(layers-1)
}

// Every parameter of every tensor is what mergekit makes of the same file.
func TestMergekitResolution(t *testing.T) {
	names := []string{"lm_head.weight", "model.embed_tokens.weight", "model.norm.weight"}
	const layers = 4
	for l := range layers {
		for _, p := range []string{"self_attn.q_proj", "self_attn.o_proj", "mlp.up_proj", "input_layernorm"} {
			names = append(names, "model.layers."+strconv.Itoa(l)+"."+p+".weight")
		}
	}
	for _, path := range glob(t, "testdata/mergekit/*.yml") {
		t.Run(path, func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var c config
			if err := yaml.Unmarshal(data, &c); err != nil {
				t.Fatal(err)
			}
			if c.Models == nil {
				c.Models = c.Slices[0].Sources
			}
			c.Models = slices.DeleteFunc(c.Models, func(e entry) bool { return e.Model == c.Base })
			r, err := recipes.Parse(path, data)
			if err != nil {
				t.Fatal(err)
			}
			f, err := r.Bind(infos(names))
			if err != nil {
				t.Fatal(err)
			}
			spec, err := f.Spec(nil)
			if err != nil {
				t.Fatal(err)
			}
			if spec.Method.Name != c.Method || (spec.Parts[0].Base >= 0) != (c.Base != "") || len(spec.Parts[0].Inputs) != len(c.Models) {
				t.Fatalf("%+v for %+v", spec, c)
			}
			for i, in := range spec.Parts[0].Inputs {
				if got := r.Models()[in]; got != c.Models[i].Model {
					t.Errorf("input %d is %s, not %s", i, got, c.Models[i].Model)
				}
			}
			for _, name := range names {
				global, source := spec.Params(name)
				for _, p := range spec.Method.Params {
					for i, m := range c.Models {
						want, ok := p.Default, false
						if p.PerSource {
							if v, set := evaluate(m.Parameters[p.Name], name, layerT(name, layers)); set {
								want, ok = v, true
							}
						}
						if v, set := evaluate(c.Parameters[p.Name], name, layerT(name, layers)); set && !ok {
							want = v
						}
						if got := read(p, global, source[i]); got != want {
							t.Errorf("%s of %s in %s is %v, not %v", p.Name, name, m.Model, got, want)
						}
					}
				}
			}
		})
	}
}

func read(p merge.Param, global, source merge.Values) float64 {
	if p.PerSource {
		return source.Get(p.Name)
	}
	return global.Get(p.Name)
}
