package recipes_test

import (
	"strings"
	"testing"

	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
)

const someExperts = `base_model: base
gate_mode: cheap_embed
dtype: bfloat16
experts:
  - source_model: a
    positive_prompts: [one, 2]
    negative_prompts: [three]
    residual_scale: 0.5
  - source_model: {path: org/b, revision: main}
    positive_prompts: ["four"]
shared_experts:
  - source_model: a
    positive_prompts: [five]
    noise_scale: 0.1
`

func TestParseExperts(t *testing.T) {
	e, err := recipes.ParseExperts("x.yml", []byte(someExperts))
	if err != nil {
		t.Fatal(err)
	}
	if e.Base != "base" || e.Mode().Hidden || !e.Mode().Prompts || e.DType != tensors.BF16 || e.PerToken != 2 || strings.Join(e.Models(), " ") != "base a org/b@main" {
		t.Errorf("%+v, models %v", e, e.Models())
	}
	if x := e.Experts[0]; x.Positive[1] != "2" || x.Negative[0] != "three" || x.Residual != 0.5 || x.Noise != 0 {
		t.Errorf("%+v", x)
	}
	if e.Shared == nil || e.Shared.Noise != 0.1 || e.Shared.Residual != 1 {
		t.Errorf("%+v", e.Shared)
	}
	again, err := recipes.ParseExperts("y.yml", e.Text())
	if err != nil || string(again.Text()) != string(e.Text()) {
		t.Errorf("%v: kept as\n%s", err, e.Text())
	}
}

// What is wrong is told with its line and what helps.
func TestBadExperts(t *testing.T) {
	for want, change := range map[string][2]string{
		`x.yml:1:1: unknown key "bas_model" in a file of experts`: {"base_model", "bas_model"},
		`did you mean "base_model"?`:                              {"base_model", "bas_model"},
		`gate_mode is hidden or hidden_avg or`:                    {"cheap_embed", "cheap"},
		`did you mean "cheap_embed"?`:                             {"cheap_embed", "cheap_embd"},
		`dtype is bfloat16, float16`:                              {"dtype: bfloat16", "dtype: bf16"},
		`unknown key "positive_prompt" in an expert`:              {"    positive_prompts: [one, 2]", "    positive_prompt: [one, 2]"},
		`positive_prompts is missing: gate_mode cheap_embed`:      {"    positive_prompts: [one, 2]\n", ""},
		`source_model is missing`:                                 {"  - source_model: a\n    positive_prompts: [one, 2]", "  - positive_prompts: [one, 2]"},
		`a prompt is empty`:                                       {"[three]", `[""]`},
		`a second shared expert`:                                  {"shared_experts:\n", "shared_experts:\n  - {source_model: b, positive_prompts: [x]}\n"},
		`experts_per_token = 3 is outside [1, 2]`:                 {"dtype:", "experts_per_token: 3\ndtype:"},
		`residual_scale is a number`:                              {"residual_scale: 0.5", "residual_scale: half"},
		`experts is an empty list`:                                {someExperts[strings.Index(someExperts, "experts:"):strings.Index(someExperts, "shared_experts")], "experts: []\n"},
	} {
		text := strings.Replace(someExperts, change[0], change[1], 1)
		if text == someExperts {
			t.Fatalf("%q is not there", change[0])
		}
		_, err := recipes.ParseExperts("x.yml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

func FuzzExperts(f *testing.F) {
	f.Add([]byte(someExperts))
	f.Add([]byte("base_model: {model: {path: a}}\nexperts: [{source_model: b}]\ngate_mode: random"))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := recipes.ParseExperts("x.yml", text)
		if err != nil {
			return
		}
		again, err := recipes.ParseExperts("y.yml", e.Text())
		if err != nil || string(again.Text()) != string(e.Text()) {
			t.Errorf("%v: kept as\n%s", err, e.Text())
		}
	})
}
