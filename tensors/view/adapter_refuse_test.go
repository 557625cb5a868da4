package view_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tensors/view"
)

func TestOpenAdapterRefuses(t *testing.T) {
	A, B := random("base_model.model.fc.lora_A.weight", tensors.F32, 2, 3), random("base_model.model.fc.lora_B.weight", tensors.F32, 4, 2)
	as := func(x tensor, name string) tensor { x.Name = name; return x }
	for _, test := range []struct {
		config string
		list   []tensor
		want   []string
	}{
		{`{`, []tensor{A, B}, []string{"adapter_config.json", "not the JSON"}},
		{`{"r": 2}`, []tensor{A, B}, []string{"adapter_config.json", "peft_type is missing"}},
		{`{"peft_type": 3}`, []tensor{A, B}, []string{"peft_type is missing or no string"}},
		{`{"peft_type": "IA3", "r": "none"}`, []tensor{A, B}, []string{`peft_type "IA3"`, "only LORA"}},
		{`{"peft_type": "LORA", "r": 0}`, []tensor{A, B}, []string{"r is 0"}},
		{`{"peft_type": "LORA", "r": "two"}`, []tensor{A, B}, []string{"not the JSON of an adapter"}},
		{`{"peft_type": "LORA", "use_qalora": true}`, []tensor{A, B}, []string{"use_qalora"}},
		{`{"peft_type": "LORA", "layer_replication": [[0, 4], [2, 5]]}`, []tensor{A, B}, []string{"layer_replication", "slices"}},
		{`{"peft_type": "LORA", "trainable_token_indices": [1]}`, []tensor{A, B}, []string{"trainable_token_indices"}},
		{`{"peft_type": "LORA", "init_lora_weights": "pissa_niter_4"}`, []tensor{A, B}, []string{"pissa_niter_4", "path_initial_model_for_weight_conversion"}},
		{`{"peft_type": "LORA", "r": 2, "rank_pattern": {"(?=x)": 2}}`, []tensor{A, B}, []string{`"(?=x)"`, "module's name instead"}},
		{`{"peft_type": "LORA", "r": 2, "rank_pattern": {"fc": 2.5}}`, []tensor{A, B}, []string{`"fc"`, "2.5", "whole number"}},
		{`{"peft_type": "LORA", "r": 2, "alpha_pattern": {"fc": "x"}}`, []tensor{A, B}, []string{`"fc"`}},
		{`{"peft_type": "LORA", "r": 2, "alpha_pattern": [1]}`, []tensor{A, B}, []string{"object of names and numbers"}},
		{`{"peft_type": "LORA", "r": 2, "rank_pattern": {"fc": 4}}`, []tensor{A, B}, []string{"fc", "[2 3]", "[4 2]", "not of rank 4"}},
		{`{"peft_type": "LORA"}`, []tensor{A, B}, []string{"not of rank 8"}},
		{plainConfig, []tensor{A}, []string{"adapter_model.safetensors", "fc: has one of lora_A and lora_B"}},
		{plainConfig, []tensor{A, B, as(A, "base_model.model.fc.lora_A.other.weight")}, []string{"a second one", "one adapter a file"}},
		{plainConfig, []tensor{A, B, as(A, "base_model.model.fc.lora_diag")}, []string{"base_model.model.fc.lora_diag", "not a name"}},
		{plainConfig, []tensor{A, B, as(A, "base_model.model.e.token_adapter.trainable_tokens_delta")}, []string{"token_adapter", "not a name"}},
		{plainConfig, []tensor{A, B, as(A, "base_model.model.x.weight"), as(A, "base_model.model.x.base_layer.weight")}, []string{"another value for x.weight"}},
		{plainConfig, []tensor{A, random("base_model.model.fc.lora_B.weight", tensors.F32, 4, 2, 3)}, []string{"[4 2 3]", "no two factors"}},
		{plainConfig, []tensor{random("e.lora_embedding_A", tensors.F32, 2, 3, 5), random("e.lora_embedding_B", tensors.F32, 4, 2, 1)}, []string{"e: lora_A [2 3 5]", "no two factors"}},
		{plainConfig, []tensor{A, values("base_model.model.fc.lora_B.weight", tensors.I8, []int{4, 2}, 1, 2, 3, 4, 5, 6, 7, 8)}, []string{"I8", "floating-point"}},
		{plainConfig, []tensor{A, B, random("base_model.model.fc.lora_magnitude_vector", tensors.F32, 4)}, []string{"fc", "does not set use_dora"}},
		{`{"peft_type": "LORA", "r": 2, "use_dora": true}`, []tensor{A, B}, []string{"fc", "no lora_magnitude_vector"}},
		{`{"peft_type": "LORA", "r": 2, "use_dora": true}`, []tensor{A, B, random("base_model.model.fc.lora_magnitude_vector", tensors.F32, 3)}, []string{"lora_magnitude_vector [3]", "[4 2]"}},
		{plainConfig, []tensor{A, B, random("base_model.model.fc.lora_B.bias", tensors.F32, 3)}, []string{"bias [3]", "[4 2]"}},
	} {
		_, err := view.OpenAdapter(adapter(t, test.config, test.list...))
		mention(t, err, test.want...)
	}

	for key, value := range map[string]string{
		"alora_invocation_tokens": "[3, 4]", "arrow_config": `{"top_k": 2}`, "kasa_config": `{"beta": 0}`, "layer_replication": "[[0, 2]]", "monteclora_config": `{"num_samples": 8}`,
		"target_parameters": `["experts.w"]`, "trainable_token_indices": `{"embed": [1]}`, "use_bdlora": `{"nblocks": 2}`, "use_qalora": "true",
	} {
		for _, unset := range []string{"null", "false", "[]", "{ }"} {
			a, err := view.OpenAdapter(adapter(t, `{"peft_type": "LORA", "r": 2, "`+key+`": `+unset+`}`, A, B))
			if err != nil {
				t.Errorf("%s: %s: %v", key, unset, err)
				continue
			}
			a.Close()
		}
		_, err := view.OpenAdapter(adapter(t, `{"peft_type": "LORA", "r": 2, "`+key+`": `+value+`}`, A, B))
		mention(t, err, "adapter_config.json", key)
	}

	_, err := view.OpenAdapter(t.TempDir())
	mention(t, err, "adapter_config.json")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v does not wrap fs.ErrNotExist", err)
	}
	dir := t.TempDir()
	for _, name := range []string{"adapter_config.json", "adapter_model.bin"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(plainConfig), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, err = view.OpenAdapter(dir)
	mention(t, err, dir, "adapter_model.bin", "pickle")
}

func TestOnRefuses(t *testing.T) {
	dir := t.TempDir()
	base := write(t, filepath.Join(dir, "base"),
		random("a.fc.weight", tensors.F32, 4, 4), random("b.fc.weight", tensors.F32, 4, 4), random("wide.weight", tensors.F32, 3, 4), random("turned.weight", tensors.F32, 3, 4),
		values("int.weight", tensors.I8, []int{4, 3}, make([]float32, 12)...), random("square.weight", tensors.F32, 4, 4), random("norm.weight", tensors.F32, 4), random("c.weight", tensors.F32, 4, 3, 2), random("bare.weight", tensors.F32, 4, 3),
		random("norm", tensors.F32, 4), random("wide.bias", tensors.F32, 2), values("turned.bias", tensors.U8, []int{3}, 1, 2, 3))
	factors := func(module string, out, in int) []tensor {
		return []tensor{random("base_model.model."+module+".lora_A.weight", tensors.F32, 2, in), random("base_model.model."+module+".lora_B.weight", tensors.F32, out, 2)}
	}
	join := func(lists ...[]tensor) (all []tensor) {
		for _, l := range lists {
			all = append(all, l...)
		}
		return all
	}
	for name, test := range map[string]struct {
		list []tensor
		want []string
	}{
		"unmatched":   {join(factors("x", 4, 3), factors("model.y.z", 4, 3), factors("bare", 4, 3)), []string{base.Path(), "x: matches no tensor", "model.y.z: matches no tensor"}},
		"ambiguous":   {factors("fc", 4, 4), []string{"fc: may be a.fc.weight or b.fc.weight"}},
		"shape":       {factors("wide", 5, 4), []string{"wide.weight", "[3 4]", "[2 4]", "[5 2]", "[5 4]"}},
		"dimensions":  {factors("c", 4, 6), []string{"c.weight", "[4 3 2]"}},
		"integers":    {factors("int", 4, 3), []string{"int.weight: is I8", "quantised"}},
		"doubtful":    {join(factors("turned", 4, 3), factors("square", 4, 4)), []string{"square.weight is square", "fan_in_fan_out is false", "turned.weight lies the other way"}},
		"twice":       {join(factors("bare", 4, 3), factors("model.bare", 4, 3)), []string{"bare.weight: adapted by"}},
		"whole":       {[]tensor{random("base_model.model.norm.weight", tensors.F32, 5)}, []string{"norm.weight", "[4]", "[5]"}},
		"whole type":  {[]tensor{values("base_model.model.norm.weight", tensors.I64, []int{4}, 1, 2, 3, 4)}, []string{"norm.weight", "F32", "I64"}},
		"whole none":  {[]tensor{random("base_model.model.lm_head.weight", tensors.F32, 5)}, []string{"lm_head.weight: matches no tensor", "tied"}},
		"bare":        {[]tensor{random("base_model.model.x.norm", tensors.F32, 4)}, []string{"x.norm: matches no tensor"}},
		"whole twice": {[]tensor{random("base_model.model.norm.weight", tensors.F32, 4), random("base_model.model.model.norm.weight", tensors.F32, 4)}, []string{"norm.weight: replaced by both"}},
		"bias shape":  {append(factors("wide", 3, 4), random("base_model.model.wide.lora_B.bias", tensors.F32, 3)), []string{"wide.bias: shape [2]", "[3] in the adapter"}},
		"bias type":   {append(factors("turned", 3, 4), random("base_model.model.turned.lora_B.bias", tensors.F32, 3)), []string{"turned.bias: is U8"}},
		"no bias":     {append(factors("bare", 4, 3), random("base_model.model.bare.lora_B.bias", tensors.F32, 4)), []string{"bare: its bias matches no tensor"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := openAdapter(t, adapter(t, plainConfig, test.list...)).On(base)
			mention(t, err, test.want...)
			if err != nil && strings.Contains(err.Error(), "bare: matches") {
				t.Errorf("%v: lists a module that matches", err)
			}
		})
	}
}

// No config and no name of a tensor panics.
func FuzzOpenAdapter(f *testing.F) {
	for _, name := range []string{"fc.lora_A.weight", "fc.lora_B.default.weight", "fc.lora_embedding_A", "fc.modules_to_save.x.weight", ".lora_", "fc.base_layer", "fc.lora_magnitude_vector.weight"} {
		f.Add([]byte(plainConfig), name, "fc.lora_B.weight")
	}
	f.Add([]byte(`{"peft_type": "LORA", "r": 2, "rank_pattern": {"^a.*b$": 3, "x": 4}, "alpha_pattern": null}`), "base_model.model.fc.lora_A.weight", "fc.lora_B.bias")
	base := write(f, filepath.Join(f.TempDir(), "m"), random("fc.weight", tensors.F32, 2, 2))
	f.Fuzz(func(t *testing.T, config []byte, a, b string) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "adapter_config.json"), config, 0o644); err != nil {
			t.Fatal(err)
		}
		layout := []tensors.Info{{Name: a, DType: tensors.F32, Shape: []int{2, 2}}, {Name: b, DType: tensors.F32, Shape: []int{2, 2}}}
		w, err := tensors.Create("", layout, tensors.Options{Single: filepath.Join(dir, "adapter_model.safetensors")})
		if err != nil {
			return // not names for tensors
		}
		defer w.Close()
		for _, info := range layout {
			if err := w.WriteAt([]float32{1, 2, 3, 4}, info.Name, 0); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
		x, err := view.OpenAdapter(dir)
		if err != nil {
			if !strings.Contains(err.Error(), dir) {
				t.Errorf("%v: does not name the file", err)
			}
			return
		}
		defer x.Close()
		if v, err := x.On(base); err == nil {
			comply(t, v)
		}
	})
}
