package experts

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mergevo/mergevo/modeldir"
)

// Architecture is a layout of mixtures that transformers reads, and a row of
// [Architectures].
type Architecture struct {
	// Name is the config's model_type; Also are other names for it in files.
	Name string
	Also []string
	// Class is the model's class, From the model_types of the dense models that fit.
	Class string
	From  []string
	// Doc says what it is for.
	Doc string

	block  string            // of a layer, with a dot at the end
	names  map[string]string // of an expert's matrices, by the dense model's
	gate   string            // the gate's module in the block
	shared bool              // it has an expert for all tokens besides
	biases bool              // queries, keys and values have biases
}

// Architectures lists the layouts; the first that fits is taken.
func Architectures() []Architecture { return slices.Clone(architectures) }

var architectures = []Architecture{
	{Name: "mixtral", Class: "MixtralForCausalLM", From: []string{"llama", "mistral"},
		Doc: "of models without biases, without a shared expert", block: "block_sparse_moe.", gate: "gate",
		names: map[string]string{"gate_proj": "w1", "up_proj": "w3", "down_proj": "w2"}},
	{Name: "qwen2_moe", Also: []string{"qwen"}, Class: "Qwen2MoeForCausalLM", From: []string{"qwen2", "llama", "mistral"},
		Doc: "with a shared expert, which is zeros where the file has none; biases that a model lacks are zeros", block: "mlp.", gate: "gate", shared: true, biases: true,
		names: map[string]string{"gate_proj": "gate_proj", "up_proj": "up_proj", "down_proj": "down_proj"}},
	{Name: "qwen3_moe", Also: []string{"qwen3"}, Class: "Qwen3MoeForCausalLM", From: []string{"qwen3"},
		Doc: "without a shared expert", block: "mlp.", gate: "gate",
		names: map[string]string{"gate_proj": "gate_proj", "up_proj": "up_proj", "down_proj": "down_proj"}},
}

// Fit returns the layout that a file asks for by name, or the first that fits models of
// a type, with a shared expert or without.
func Fit(asked, modelType string, shared bool) (*Architecture, error) {
	var names []string
	for i := range architectures {
		a := &architectures[i]
		names = append(names, a.Name)
		switch {
		case asked != "" && a.Name != asked && !slices.Contains(a.Also, asked):
			continue
		case asked == "" && (!slices.Contains(a.From, modelType) || shared && !a.shared):
			continue
		case !slices.Contains(a.From, modelType):
			return nil, fmt.Errorf("%s is made of %s, not of %s", a.Name, strings.Join(a.From, ", "), modelType)
		case shared && !a.shared:
			return nil, fmt.Errorf("%s has no shared expert; qwen2_moe has one", a.Name)
		}
		return a, nil
	}
	if asked != "" {
		return nil, fmt.Errorf("architecture %q is not known; known: %s", asked, strings.Join(names, ", "))
	}
	if shared {
		return nil, fmt.Errorf("no known mixture with a shared expert is made of models of type %q", modelType)
	}
	return nil, fmt.Errorf("no known mixture is made of models of type %q; known: %s", modelType, strings.Join(names, ", "))
}

// absent is what transformers takes for keys that a dense model's config.json lacks,
// where the mixture's class would take something else.
var absent = map[string][]modeldir.Key{
	"llama":   {{Name: "rms_norm_eps", JSON: "1e-06"}, {Name: "max_position_embeddings", JSON: "2048"}},
	"mistral": {{Name: "rms_norm_eps", JSON: "1e-06"}, {Name: "max_position_embeddings", JSON: "131072"}, {Name: "num_key_value_heads", JSON: "8"}, {Name: "sliding_window", JSON: "4096"}},
	"qwen2":   {{Name: "num_key_value_heads", JSON: "32"}},
	"qwen3":   {{Name: "num_key_value_heads", JSON: "32"}, {Name: "head_dim", JSON: "128"}},
}

// config are the keys that make a dense model's config.json the mixture's. heads is its
// number of attention heads.
func (a *Architecture) config(of string, rope bool, heads, experts, perToken, width, shared int) []modeldir.Key {
	n := strconv.Itoa
	keys := []modeldir.Key{
		{Name: "architectures", JSON: fmt.Sprintf("[%q]", a.Class)}, {Name: "model_type", JSON: strconv.Quote(a.Name)},
		{Name: "num_experts_per_tok", JSON: n(perToken)},
		{Name: "output_router_logits", JSON: "false"}, {Name: "router_aux_loss_coef", JSON: "0.001"},
	}
	if a.Name == "mixtral" {
		keys = append(keys, modeldir.Key{Name: "num_local_experts", JSON: n(experts)}, modeldir.Key{Name: "router_jitter_noise", JSON: "0.0"})
	} else {
		keys = append(keys, modeldir.Key{Name: "num_experts", JSON: n(experts)}, modeldir.Key{Name: "moe_intermediate_size", JSON: n(width)},
			modeldir.Key{Name: "norm_topk_prob", JSON: "true"}, modeldir.Key{Name: "decoder_sparse_step", JSON: "1"}, modeldir.Key{Name: "mlp_only_layers", JSON: "[]"})
	}
	if a.shared {
		keys = append(keys, modeldir.Key{Name: "shared_expert_intermediate_size", JSON: n(shared)}, modeldir.Key{Name: "qkv_bias", JSON: "true"})
	}
	for _, k := range absent[of] {
		k.Missing = true
		keys = append(keys, k)
	}
	if of == "llama" {
		keys = append(keys, modeldir.Key{Name: "num_key_value_heads", JSON: n(heads), Missing: true})
	}
	if !rope {
		keys = append(keys, modeldir.Key{Name: "rope_theta", JSON: "10000.0"})
	}
	return keys
}
