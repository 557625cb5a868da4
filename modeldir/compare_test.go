package modeldir_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mergevo/mergevo/modeldir"
)

func TestWarnings(t *testing.T) {
	llama := config(t, "llama")
	change := func(text string, replaced ...string) string {
		out := strings.NewReplacer(replaced...).Replace(text)
		if out == text {
			t.Fatalf("nothing of %q is there", replaced)
		}
		return out
	}
	tokens := func(config string) []string { return []string{"config.json", "{}", "tokenizer_config.json", config} }
	type files = []string
	only := func(config string) files { return files{"config.json", config} }
	for _, test := range []struct {
		name    string
		folders []files
		base    int
		want    []string
	}{
		{"equal", []files{only(llama), only(llama), only(llama)}, 0, nil},
		{"saved by another version", []files{only(llama), only(config(t, "llama5"))}, 0, nil},
		{"spelling of numbers", []files{only(`{"rms_norm_eps": 1e-05}`), only(`{"rms_norm_eps": 0.00001}`)}, 0, nil},
		{"one without", []files{only(llama), {"model.safetensors", ""}}, 0, nil},
		{"frequency", []files{only(llama), only(change(llama, "500000.0", "10000.0")), only(llama)}, 0,
			[]string{"rope_theta differs: 500000 in A and C, 10000 in B; is A the base of B?"}},
		{"frequency, no base", []files{only(llama), only(change(llama, "500000.0", "10000.0"))}, -1,
			[]string{"rope_theta differs: 500000 in A, 10000 in B"}},
		{"frequency, another base", []files{only(llama), only(change(llama, "500000.0", "10000.0")), only(llama)}, 1,
			[]string{"rope_theta differs: 500000 in A and C, 10000 in B; is B the base of A and C?"}},
		{"frequency, new spelling", []files{only(config(t, "llama5")), only(change(config(t, "llama5"), "500000.0", "10000.0"))}, 0,
			[]string{"rope_theta differs: 500000 in A, 10000 in B; is A the base of B?"}},
		{"frequency by default", []files{only(`{"model_type":"llama","rms_norm_eps":1,"num_attention_heads":1}`), only(`{"model_type":"llama","rms_norm_eps":1,"num_attention_heads":1,"rope_theta":5e5}`)}, 0,
			[]string{"rope_theta differs: 10000 in A, 500000 in B; is A the base of B?"}},
		{"scaling", []files{only(`{"rope_theta": 1, "rope_scaling": null}`), only(`{"rope_theta": 1, "rope_scaling": {"type": "linear", "factor": 2}}`), only(`{"rope_parameters": {"rope_theta": 1, "rope_type": "linear", "factor": 2.0}}`)}, 0,
			[]string{"rope_scaling differs: none in A, factor 2, type linear in B and C; is A the base of B and C?"}},
		{"two frequencies", []files{only(`{"rope_theta": 1e6, "rope_local_base_freq": 1e4}`), only(`{"rope_parameters": {"full_attention": {"rope_theta": 1e6, "rope_type": "default"}, "sliding_attention": {"rope_theta": 5e4, "rope_type": "default"}}}`)}, 0,
			[]string{"rope_local_base_freq differs: 10000 in A, 50000 in B; is A the base of B?"}},
		{"base without a configuration", []files{{"model.safetensors", ""}, only(`{"rope_theta": 1}`), only(`{"rope_theta": 2}`)}, 0, []string{"rope_theta differs: 1 in B, 2 in C"}},
		{"scaling, both spellings and null", []files{only(`{"rope_theta": 1, "rope_scaling": {"type": "linear", "rope_type": "linear", "factor": 2, "beta": null}}`), only(`{"rope_parameters": {"rope_theta": 1, "rope_type": "linear", "factor": 2.0}}`)}, 0, nil},
		{"epsilon", []files{only(llama), only(change(llama, `"rms_norm_eps": 1e-05`, `"rms_norm_eps": 1e-06`))}, 0,
			[]string{"rms_norm_eps differs: 1e-05 in A, 1e-06 in B; is A the base of B?"}},
		{"heads by default", []files{only(`{"hidden_size": 8, "num_attention_heads": 4}`), only(`{"hidden_size": 8, "num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 2}`)}, 0, nil},
		{"heads", []files{only(`{"hidden_size": 8, "num_attention_heads": 4}`), only(`{"hidden_size": 8, "num_attention_heads": 2}`)}, 0, []string{
			"num_attention_heads differs: 4 in A, 2 in B; is A the base of B?",
			"num_key_value_heads differs: 4 in A, 2 in B; is A the base of B?",
			"head_dim differs: 2 in A, 4 in B; is A the base of B?"}},
		{"another class", []files{only(`{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}`), only(`{"model_type": "mistral", "architectures": ["MistralForCausalLM"]}`)}, 0, []string{
			`model_type differs: "llama" in A, "mistral" in B; is A the base of B?`,
			`architectures differs: ["LlamaForCausalLM"] in A, ["MistralForCausalLM"] in B; the output has the donor's`}},
		{"mild", []files{only(llama), only(change(llama, "131072", "2048", `"bfloat16"`, `"float16"`, "embeddings\": true", "embeddings\": false", "128000", "128001", "128256", "128264"))}, 0, []string{
			"vocab_size differs: 128256 in A, 128264 in B; tokenizer_source in the recipe unites vocabularies; is A the base of B?",
			"tie_word_embeddings differs: true in A, false in B; the output's follows what is written",
			"max_position_embeddings differs: 131072 in A, 2048 in B; the output has the donor's",
			"bos_token_id differs: 128000 in A, 128001 in B; the output has the donor's",
			`torch_dtype differs: "bfloat16" in A, "float16" in B; dtype in the recipe says what is written`}},
		{"parts", []files{only(config(t, "clip")), only(change(config(t, "clip"), "\"num_attention_heads\": 8", "\"num_attention_heads\": 16"))}, 0, []string{
			"text_config.num_attention_heads differs: 8 in A, 16 in B; is A the base of B?",
			"text_config.num_key_value_heads differs: 8 in A, 16 in B; is A the base of B?",
			"text_config.head_dim differs: 64 in A, 32 in B; is A the base of B?"}},
		{"packed", []files{only(llama), only(`{"quantization_config": {"quant_method": "gptq", "bits": 4}}`), only(`{"quantization_config": {}}`)}, 0, []string{
			"B has a quantization_config (gptq): packed weights cannot be merged; use the model that it was made from",
			"C has a quantization_config (of no known method): packed weights cannot be merged; use the model that it was made from"}},
		{"special tokens", []files{tokens(`{"eos_token": "</s>"}`), tokens(`{"eos_token": {"content": "</s>"}}`), tokens(`{"eos_token": "<|im_end|>", "pad_token": null}`)}, 0,
			[]string{`tokenizer_config.json: eos_token differs: "</s>" in A and B, "<|im_end|>" in C; the output has the donor's`}},
		{"one id, two tokens", []files{
			tokens(`{"added_tokens_decoder": {"0": {"content": "<unk>"}, "10": {"content": "<a>"}, "9": {"content": "<b>"}}}`),
			tokens(`{"added_tokens_decoder": {"0": {"content": "<unk>"}, "9": {"content": "<c>"}, "10": {"content": "<d>"}, "11": {"content": "<e>"}}}`)}, 0,
			[]string{`tokenizer_config.json: token 9 differs: "<b>" in A, "<c>" in B; is A the base of B? (and 1 more tokens differ)`}},
		{"odd kinds", []files{only(`{"rope_theta": "x", "model_type": 3, "rope_scaling": [], "text_config": []}`), tokens(`{"added_tokens_decoder": {"x": 1, "2": 3}, "eos_token": 4}`)}, 0, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var folders []*modeldir.Folder
			var names []string
			for i, f := range test.folders {
				folders = append(folders, open(t, f...))
				names = append(names, string(rune('A'+i)))
			}
			if diff := cmp.Diff(test.want, modeldir.Warnings(folders, names, test.base, false)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
