package view

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mergevo/mergevo/tensors"
)

// Naming is a way in which adapters name their tensors, and a row of [Namings].
type Naming struct {
	// Name is what messages call it.
	Name string
	// Down and Up end the names of a module's factors: rank × inputs, outputs × rank.
	Down, Up string
	// Example is a tensor's name, Doc says where such adapters come from.
	Example, Doc string
	// Folder says that adapter_config.json stands beside, which gives the scales.
	Folder bool
}

// peft is the naming of folders, which is the first row.
const peft = 0

// Namings lists the namings that are read, in the order in which a name is tried.
func Namings() []Naming { return slices.Clone(namings) }

var namings = []Naming{
	peft: {Name: "PEFT", Down: ".lora_A.weight", Up: ".lora_B.weight", Folder: true,
		Example: "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", Doc: "a folder with adapter_config.json and adapter_model.safetensors"},
	{Name: "diffusers", Down: ".lora_A.weight", Up: ".lora_B.weight",
		Example: "unet.mid_block.attentions.0.proj_in.lora_A.weight", Doc: "one file, also ai-toolkit's and ComfyUI's (`transformer.…`, `diffusion_model.…`); the scale is 1, or what `….alpha` or the header's `lora_adapter_metadata` says"},
	{Name: "kohya", Down: ".lora_down.weight", Up: ".lora_up.weight",
		Example: "lora_unet_mid_block_attentions_0_proj_in.lora_down.weight", Doc: "one file, also LyCORIS' LoCon: dots of module names are underscores; the scale is `….alpha` / rank; `….lora_mid.weight` (Tucker) is multiplied out"},
	{Name: "diffusers, older", Down: ".lora.down.weight", Up: ".lora.up.weight",
		Example: "unet.mid_block.attentions.0.proj_in.lora.down.weight", Doc: "one file"},
	{Name: "diffusers, older", Down: ".lora_linear_layer.down.weight", Up: ".lora_linear_layer.up.weight",
		Example: "text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_linear_layer.down.weight", Doc: "one file, of text encoders"},
	{Name: "diffusers, oldest", Down: "_lora.down.weight", Up: "_lora.up.weight",
		Example: "unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora.down.weight", Doc: "one file, of attention processors"},
}

// otherKinds lists what files hold of adapters that are no sum of W and a product of
// two factors, by a word in a tensor's name, or at its end.
var otherKinds = []struct{ word, kind string }{
	{".hada_", "LoHa"},
	{".lokr_", "LoKr"},
	{".dora_scale", "DoRA"},
	{".lora_magnitude_vector", "DoRA"},
	{".oft_", "OFT"},
	{".boft_", "BOFT"},
	{".on_input", "(IA)³"},
	{".ia3_", "(IA)³"},
	{".vera_lambda", "VeRA"},
	{".a1.weight$", "GLoRA"},
	{".b1.weight$", "GLoRA"},
	{".diff$", "whole differences"},
	{".diff_b$", "whole differences"},
	{".w_norm", "whole differences"},
	{".b_norm", "whole differences"},
	{".lora_embedding_", "embeddings beside no adapter_config.json"},
	{"emb_params", "textual inversion"},
}

// kindOf names the kind of adapter that a tensor's name tells of, "" for LoRA or none.
func kindOf(name string) string {
	for _, o := range otherKinds {
		end, atEnd := strings.CutSuffix(o.word, "$")
		if atEnd && strings.HasSuffix(name, end) || strings.Contains("."+name, o.word) {
			return o.kind
		}
	}
	return ""
}

// OtherKinds lists the kinds of adapters in one file that are recognised and refused.
func OtherKinds() []string {
	var kinds []string
	for _, o := range otherKinds {
		if !slices.Contains(kinds, o.kind) {
			kinds = append(kinds, o.kind)
		}
	}
	return kinds
}

// AreAdapter reports whether tensors are those of an adapter: more than half of them
// have names that only adapters give, or one begins as PEFT begins all.
func AreAdapter(infos []tensors.Info) bool {
	n := 0
	for _, t := range infos {
		if strings.HasPrefix(t.Name, "base_model.model.") {
			return true
		}
		if _, _, ok := cutField(t.Name); ok || kindOf(t.Name) != "" {
			n++
		}
	}
	return 2*n > len(infos)
}

// cutField splits a tensor's name into its module's and what it is there: "down",
// "up", "mid", "alpha" or "bias". The number is the naming's row, for the factors.
func cutField(name string) (module string, f field, ok bool) {
	for i, n := range namings[peft+1:] {
		if m, ok := strings.CutSuffix(name, n.Down); ok {
			return m, field{"down", i + 1}, true
		}
		if m, ok := strings.CutSuffix(name, n.Up); ok {
			return m, field{"up", i + 1}, true
		}
	}
	for _, f := range []field{{"mid", 0}, {"alpha", 0}, {"bias", 0}} {
		if m, ok := strings.CutSuffix(name, map[string]string{"mid": ".lora_mid.weight", "alpha": ".alpha", "bias": ".lora_B.bias"}[f.what]); ok {
			return m, f, true
		}
	}
	// With the adapter's name, as in lora_A.default.weight.
	for what, word := range map[string]string{"down": ".lora_A.", "up": ".lora_B."} {
		if m, rest, ok := strings.Cut(name, word); ok && strings.Count(rest, ".") == 1 && strings.HasSuffix(rest, ".weight") {
			return m, field{what, 1}, true
		}
	}
	return "", field{}, false
}

// field is what a tensor is of its module, and the row of the naming that says so.
type field struct {
	what   string
	naming int
}

// part is a network of a model that has several, as adapters in one file name it.
type part struct {
	// name is the same in every naming.
	name string
	// starts begin the names of its modules.
	starts []string
	// in begin the names of its tensors in checkpoints that hold more than it, dots
	// being underscores.
	in []string
}

// parts lists the networks, longer names before those that they begin with.
var parts = []part{
	{"text_encoder_3", []string{"text_encoder_3.", "lora_te3_"}, []string{"text_encoder_3_", "text_encoders_t5xxl_transformer_"}},
	{"text_encoder_2", []string{"text_encoder_2.", "lora_te2_"}, []string{"text_encoder_2_", "conditioner_embedders_1_transformer_"}},
	{"text_encoder", []string{"text_encoder.", "lora_te1_", "lora_te_"}, []string{"text_encoder_", "cond_stage_model_transformer_", "conditioner_embedders_0_transformer_"}},
	{"denoiser", []string{"unet.", "transformer.", "diffusion_model.", "lora_unet_", "lora_transformer_", "lycoris_"}, []string{"unet_", "transformer_", "model_diffusion_model_", "diffusion_model_"}},
}

// cutPart returns the network that a module's name begins with, its zero value for
// none, and the rest of the name with dots as underscores and without what older
// diffusers put between.
func cutPart(module string) (part, string) {
	p := part{}
	if rest, ok := strings.CutPrefix(module, "base_model.model."); ok {
		module = rest
	} else {
	search:
		for _, q := range parts {
			for _, start := range q.starts {
				if rest, ok := strings.CutPrefix(module, start); ok {
					p, module = q, rest
					break search
				}
			}
		}
	}
	if before, name, ok := strings.Cut(module, ".processor."); ok {
		if name == "to_out" {
			name = "to_out.0"
		}
		module = before + "." + name
	}
	for from, to := range map[string]string{"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj"} {
		if before, ok := strings.CutSuffix(module, ".self_attn."+from); ok {
			module = before + ".self_attn." + to
		}
	}
	return p, flat(module)
}

// flat writes a dotted name as kohya's scripts do.
func flat(name string) string { return strings.ReplaceAll(name, ".", "_") }

// kindError refuses an adapter of another kind.
func kindError(path, tensor, kind string) error {
	return fmt.Errorf("%s: %s: this is %s, not a product of two factors (LoRA), and neither merged nor added here; merge it into its base with the program that made it", path, tensor, kind)
}
