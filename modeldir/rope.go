package modeldir

import (
	"slices"
	"strings"
)

// Rotary embeddings are spelt in two ways. Until transformers 5 the base frequency
// is rope_theta, its scaling rope_scaling, and a second frequency for sliding
// windows rope_local_base_freq. Since then rope_parameters holds all of them, for
// each type of layer where there are several. The functions here read both, so
// that only models are compared and not the programs that saved them.

// rope returns the object that describes full attention, and the one for sliding
// windows; nil where there is none.
func rope(v *value) (full, sliding *value) {
	p := v.get("rope_parameters")
	if !p.is('{') {
		p = v.get("rope_scaling")
	}
	if !p.is('{') {
		return nil, nil
	}
	if f := p.get("full_attention"); f.is('{') {
		return f, p.get("sliding_attention")
	}
	return p, nil
}

func ropeTheta(d *document, v *value) string {
	full, _ := rope(v)
	for _, at := range []*value{v.get("rope_theta"), full.get("rope_theta"), v.get("rotary_emb_base")} {
		if at.is('0') {
			return d.canonical(at)
		}
	}
	if v.get("rms_norm_eps").is('0') && v.get("num_attention_heads").is('0') {
		// Llama's descendants had no other frequency before there was a key for it.
		if t := d.str(v.get("model_type")); t == "llama" || t == "mistral" || t == "qwen2" {
			return "10000"
		}
	}
	return ""
}

func ropeLocal(d *document, v *value) string {
	_, sliding := rope(v)
	for _, at := range []*value{v.get("rope_local_base_freq"), v.get("local_rope_theta"), sliding.get("rope_theta")} {
		if at.is('0') {
			return d.canonical(at)
		}
	}
	return ""
}

// ropeScaling is the scaling without the frequency; "none" for models that have a
// rotary embedding and no scaling.
func ropeScaling(d *document, v *value) string {
	full, _ := rope(v)
	if full == nil {
		if ropeTheta(d, v) == "" {
			return ""
		}
		return "none"
	}
	var parts []string
	for _, m := range full.members {
		key := strings.TrimPrefix(m.key, "rope_")
		text := d.canonical(m.value)
		if key == "theta" || m.is('n') || m.key == "partial_rotary_factor" {
			continue
		}
		// Older files say type, and some say both.
		if part := key + " " + strings.Trim(text, `"`); !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	slices.Sort(parts)
	if len(parts) == 0 || len(parts) == 1 && parts[0] == "type default" {
		return "none"
	}
	return strings.Join(parts, ", ")
}
