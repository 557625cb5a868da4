package modeldir

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// family is a key that decides what a network computes, under the names that it
// has in different classes, and what a difference means.
type family struct {
	keys []string
	// value reads the key where its name is not enough, nil where it is.
	value func(d *document, v *value) string
	// mild differences are common among fine-tunes of one base.
	mild bool
	// then says what to do or what happens.
	then string
}

func keys(names ...string) family { return family{keys: names} }

var vocabularyKeys = []string{"vocab_size", "padded_vocab_size"}

// families are compared in this order, in each part of a model.
var families = []family{
	keys("model_type"),
	{keys: []string{"architectures"}, mild: true, then: "the output has the donor's"},
	{keys: []string{"rope_theta"}, value: ropeTheta},
	{keys: []string{"rope_scaling"}, value: ropeScaling},
	{keys: []string{"rope_local_base_freq"}, value: ropeLocal},
	keys("partial_rotary_factor", "rotary_pct"),
	keys("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "layernorm_epsilon", "norm_epsilon", "norm_eps"),
	keys("num_attention_heads", "n_head", "n_heads", "num_heads"),
	keys("encoder_attention_heads"),
	keys("decoder_attention_heads"),
	{keys: []string{"num_key_value_heads"}, value: keyValueHeads},
	{keys: []string{"head_dim"}, value: headDim},
	keys("hidden_act", "hidden_activation", "activation_function", "activation", "afn"),
	keys("position_embedding_type"),
	keys("layer_types"),
	keys("sliding_window"),
	keys("query_pre_attn_scalar"),
	keys("attn_logit_softcapping"),
	keys("final_logit_softcapping"),
	keys("num_experts_per_tok"),
	keys("norm_topk_prob"),
	keys("embedding_multiplier", "scale_emb"),
	keys("attention_multiplier"),
	keys("residual_multiplier", "scale_depth"),
	keys("logits_scaling", "logit_scale"),
	keys("image_size"),
	keys("patch_size"),
	{keys: vocabularyKeys, then: "tokenizer_source in the recipe unites vocabularies"},
	{keys: []string{"tie_word_embeddings"}, mild: true, then: "the output's follows what is written"},
	{keys: []string{"max_position_embeddings", "n_positions", "max_target_positions"}, mild: true, then: "the output has the donor's"},
	{keys: []string{"bos_token_id"}, mild: true, then: "the output has the donor's"},
	{keys: []string{"eos_token_id"}, mild: true, then: "the output has the donor's"},
	{keys: []string{"pad_token_id"}, mild: true, then: "the output has the donor's"},
	{keys: dtypeKeys, mild: true, then: "dtype in the recipe says what is written"},
}

// Warnings compares the models of a merge by what lies beside their weights, and
// returns a line for each thing in which they do not look like one family: the
// key, each model's value, and where it matters the question whose base the base
// is. names are the models as the user calls them; base is the base's place, -1
// without one. Folders without a config.json, and keys that fewer than two models
// set, are not compared, nor are vocabularies that the merge unites.
func Warnings(folders []*Folder, names []string, base int, united bool) []string {
	var lines []string
	for i, f := range folders {
		if how := f.quantized(); how != "" {
			lines = append(lines, fmt.Sprintf("%s has a quantization_config (%s): packed weights cannot be merged; use the model that it was made from", names[i], how))
		}
	}
	var parts []string
	seen := map[string]bool{}
	at := make([]map[string]*value, len(folders))
	for i, f := range folders {
		at[i] = map[string]*value{}
		if f.config == nil {
			continue
		}
		for _, s := range f.config.scopes() {
			at[i][s.name] = s.value
			if !seen[s.name] {
				parts = append(parts, s.name)
			}
			seen[s.name] = true
		}
	}
	for _, part := range parts {
		for _, k := range families {
			if united && slices.Equal(k.keys, vocabularyKeys) {
				continue
			}
			values := make([]string, len(folders))
			label := ""
			for i, f := range folders {
				var key string
				if v := at[i][part]; v != nil {
					key, values[i] = k.find(f.config, v)
				}
				if label == "" {
					label = key
				}
			}
			if line := differ(scope{name: part}.label(label), values, names, base, k); line != "" {
				lines = append(lines, line)
			}
		}
	}
	return append(lines, tokenWarnings(folders, names, base)...)
}

// quantized names the way in which the weights are packed, "" if they are not.
func (f *Folder) quantized() string {
	if f.config == nil {
		return ""
	}
	for _, key := range []string{"quantization_config", "compression_config"} {
		if q := f.config.root.get(key); q.is('{') {
			if how := f.config.str(q.get("quant_method")); how != "" {
				return how
			}
			return "of no known method"
		}
	}
	return ""
}

// find returns the name and value of the key in an object, "" where it is not set.
func (k family) find(d *document, object *value) (key, text string) {
	if k.value != nil {
		if text = k.value(d, object); text != "" {
			return k.keys[0], text
		}
		return "", ""
	}
	for _, key := range k.keys {
		if v := object.get(key); v != nil && !v.is('n') {
			return key, d.canonical(v)
		}
	}
	return "", ""
}

// differ words a difference, "" if there is none. Models without a value are left
// out.
func differ(label string, values, names []string, base int, k family) string {
	var groups []string
	who := map[string][]string{}
	for i, v := range values {
		if v == "" {
			continue
		}
		if who[v] == nil {
			groups = append(groups, v)
		}
		who[v] = append(who[v], names[i])
	}
	if len(groups) < 2 {
		return ""
	}
	var said []string
	for _, v := range groups {
		said = append(said, shorten(v)+" in "+and(who[v]))
	}
	line := label + " differs: " + strings.Join(said, ", ")
	if k.then != "" {
		line += "; " + k.then
	}
	if k.mild || base < 0 || values[base] == "" {
		return line
	}
	var odd []string
	for i, v := range values {
		if v != "" && v != values[base] {
			odd = append(odd, names[i])
		}
	}
	return line + "; is " + names[base] + " the base of " + and(odd) + "?"
}

// and joins names as a sentence does.
func and(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// shorten cuts a value that would not fit a line.
func shorten(v string) string {
	const most = 60
	if r := []rune(v); len(r) > most {
		return string(r[:most-3]) + "..."
	}
	return v
}

// keyValueHeads are as many as heads where nothing else is said.
func keyValueHeads(d *document, v *value) string {
	for _, key := range []string{"num_key_value_heads", "num_attention_heads"} {
		if n := v.get(key); n != nil && !n.is('n') {
			return d.canonical(n)
		}
	}
	return ""
}

// headDim is what the heads share of the width where nothing else is said.
func headDim(d *document, v *value) string {
	if n := v.get("head_dim"); n != nil && !n.is('n') {
		return d.canonical(n)
	}
	width, ok := d.whole(v.get("hidden_size"))
	heads, found := d.whole(v.get("num_attention_heads"))
	if !ok || !found || heads <= 0 {
		return ""
	}
	return strconv.Itoa(width / heads)
}
