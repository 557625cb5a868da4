package models

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/tensors"
)

// What a config says of windows, biases and the head is what transformers 5.24 makes of it.
func TestLlamaConfigs(t *testing.T) {
	const sizes = `"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 3, "num_attention_heads": 2, "vocab_size": 9, "max_position_embeddings": 16`
	both := []tensors.Info{{Name: "model.embed_tokens.weight"}, {Name: "lm_head.weight"}}
	const head, bias = "lm_head.weight", "model.layers.0.self_attn.q_proj.bias"
	for _, c := range []struct {
		config  string
		have    []tensors.Info
		windows []int
		reads   []string // of head and bias
		err     string
	}{
		{`"model_type": "mistral", "sliding_window": 5, "use_sliding_window": false, "attention_bias": true`, nil, []int{5, 5, 5}, []string{head}, ""},
		{`"model_type": "mistral", "sliding_window": null`, both[:1], []int{0, 0, 0}, nil, ""},
		{`"model_type": "mistral"`, both, []int{4096, 4096, 4096}, []string{head}, ""},
		{`"model_type": "llama", "sliding_window": 5, "tie_word_embeddings": true, "attention_bias": true`, both, []int{0, 0, 0}, []string{head, bias}, ""},
		{`"model_type": "qwen2", "use_sliding_window": true, "sliding_window": 5`, nil, []int{0, 0, 0}, []string{head, bias}, ""},
		{`"model_type": "qwen2", "use_sliding_window": true, "sliding_window": 5, "max_window_layers": 1`, nil, []int{0, 5, 5}, []string{head, bias}, ""},
		{`"model_type": "qwen2", "sliding_window": 5, "max_window_layers": 1`, nil, []int{0, 0, 0}, []string{head, bias}, ""},
		{`"model_type": "qwen3", "use_sliding_window": true, "sliding_window": 5, "max_window_layers": 0, "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]`, nil, []int{5, 0, 5}, []string{head}, ""},
		{config: `"model_type": "qwen3", "layer_types": ["full_attention"]`, err: "layer_types names 1 layers, num_hidden_layers is 3"},
		{config: `"model_type": "qwen3", "layer_types": ["full_attention", "full_attention", "linear_attention"]`, err: `layer_types has "linear_attention"`},
		{config: `"model_type": "llama", "rope_parameters": {"full_attention": {"rope_theta": 10}}`, err: "rope_parameters of kinds of layers"},
		{config: `"model_type": "llama", "rope_scaling": {"rope_type": "longrope"}`, err: `rope_scaling "longrope" is not known`},
	} {
		m, err := Parse(fmt.Appendf(nil, "{%s, %s}", sizes, c.config), c.have)
		if c.err != "" || err != nil {
			if err == nil || c.err == "" || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want %s", c.config, err, c.err)
			}
			continue
		}
		var windows []int
		for i := range m.Text.Blocks.Layers {
			windows = append(windows, m.Text.Blocks.window(i))
		}
		if !slices.Equal(windows, c.windows) {
			t.Errorf("%s: windows %v, want %v", c.config, windows, c.windows)
		}
		for _, name := range []string{head, bias} {
			if got := slices.Contains(m.Names(), name); got != slices.Contains(c.reads, name) {
				t.Errorf("%s: reads %s: %t", c.config, name, got)
			}
		}
	}
}

// Scalings of angles without the length they began with take the config's, and
// rope_scaling counts before rope_parameters.
func TestRopeLengths(t *testing.T) {
	const sizes = `"model_type": "llama", "hidden_size": 16, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 9, "max_position_embeddings": 64`
	angles := func(config string) []float64 {
		c := llamaConfig{Theta: 10000}
		if err := loose(fmt.Appendf(nil, "{%s, %s}", sizes, config), &c); err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(fmt.Appendf(nil, "{%s, %s}", sizes, config), nil); err != nil {
			t.Fatal(err)
		}
		freq, _, err := c.rope()
		if err != nil {
			t.Fatal(err)
		}
		return freq
	}
	const llama3 = `"rope_type": "llama3", "factor": 4, "low_freq_factor": 1, "high_freq_factor": 3`
	for _, c := range [][2]string{
		{`"rope_parameters": {` + llama3 + `}`, `"rope_parameters": {` + llama3 + `, "original_max_position_embeddings": 64}`},
		{`"rope_scaling": {` + llama3 + `}, "original_max_position_embeddings": 20`, `"rope_parameters": {` + llama3 + `, "original_max_position_embeddings": 20}`},
		{`"rope_parameters": {"rope_type": "yarn", "factor": null, "original_max_position_embeddings": 16}`, `"rope_parameters": {"rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 16}`},
		{`"rope_scaling": {"type": "linear", "factor": 2}, "rope_parameters": {"rope_theta": 7}`, `"rope_parameters": {"rope_type": "linear", "factor": 2, "rope_theta": 10000}`},
	} {
		if a, b := angles(c[0]), angles(c[1]); !slices.Equal(a, b) {
			t.Errorf("%s\ngot  %v\nwant %v", c[0], a, b)
		}
	}
}
