package view_test

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tensors/view"
)

// Adapters in one file, added to each of the networks that they are of: what torch
// computes from the definitions (testdata/make_files.py).
func TestAdapterFiles(t *testing.T) {
	for name, naming := range map[string]string{"kohya": "kohya", "diffusers": "diffusers", "older": "diffusers, older", "header": "diffusers"} {
		a := openAdapter(t, filepath.Join("testdata", "files", name+".safetensors"))
		if got := a.Naming().Name; got != naming {
			t.Errorf("%s is named as %s", name, got)
		}
		for part, other := range map[string]string{"unet": "text_encoder", "text": "denoiser"} {
			base := open(t, filepath.Join("testdata", "files", part+".safetensors"))
			want := open(t, filepath.Join("testdata", "files", name+"-"+part+".safetensors"))
			got, err := a.On(base)
			if err != nil {
				t.Errorf("%s on %s: %v", name, part, err)
				continue
			}
			changed := 0
			for _, info := range want.Tensors() {
				x, y := numbers(t, got, info.Name), numbers(t, want, info.Name)
				if !near(x, y, 1e-6) {
					t.Errorf("%s: %s: %v, torch has %v", name, info.Name, x, y)
				}
				if !near(x, numbers(t, base, info.Name), 0.01) {
					changed++
				}
			}
			if want := map[string]int{"unet": 5, "text": 2}[part]; changed != want {
				t.Errorf("%s changes %d tensors of %s, not %d", name, changed, part, want)
			}
			left := map[string]int{other: map[string]int{"denoiser": 5, "text_encoder": 2}[other]}
			if got := a.LeftOut(base); !maps.Equal(got, left) {
				t.Errorf("%s on %s leaves out %v, not %v", name, part, got, left)
			}
		}
	}
}

// Tensors that no base has, or of another shape, are listed, all of them.
func TestAdapterFileMisfits(t *testing.T) {
	base := write(t, filepath.Join(t.TempDir(), "m"), random("a.fc.weight", tensors.F32, 4, 3), random("a_fc.weight", tensors.F32, 4, 3), random("b.weight", tensors.F32, 4, 3), random("c.weight", tensors.F32, 4, 2))
	a := openAdapter(t, file(t, random("lora_unet_a_fc.lora_down.weight", tensors.F32, 2, 3), random("lora_unet_a_fc.lora_up.weight", tensors.F32, 4, 2),
		random("lora_unet_b.lora_down.weight", tensors.F32, 2, 3), random("lora_unet_b.lora_up.weight", tensors.F32, 4, 2),
		random("lora_unet_c.lora_down.weight", tensors.F32, 2, 3), random("lora_unet_c.lora_up.weight", tensors.F32, 4, 2),
		random("lora_unet_d.lora_down.weight", tensors.F32, 2, 3), random("lora_unet_d.lora_up.weight", tensors.F32, 4, 2)))
	_, err := a.On(base)
	for _, want := range []string{"lora_unet_a_fc: may be a.fc.weight or a_fc.weight", "c.weight: shape [4 2]", "lora_unet_d: matches no tensor"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

// What is no sum of W and a product is refused by the name of its kind, and files that
// cannot be read by the tensor.
func TestAdapterFileRefused(t *testing.T) {
	down, up := random("lora_unet_a.lora_down.weight", tensors.F32, 2, 3), random("lora_unet_a.lora_up.weight", tensors.F32, 4, 2)
	with := func(name string, shape ...int) []tensor {
		return []tensor{down, up, random(name, tensors.F32, shape...)}
	}
	for want, list := range map[string][]tensor{
		"lora_unet_a.hada_w1_a: this is LoHa":                {random("lora_unet_a.hada_w1_a", tensors.F32, 2, 2)},
		"lora_unet_a.lokr_w1: this is LoKr":                  {random("lora_unet_a.lokr_w1", tensors.F32, 2, 2)},
		"lora_unet_a.dora_scale: this is DoRA":               with("lora_unet_a.dora_scale", 4, 1),
		"lora_unet_a.diff: this is whole differences":        with("lora_unet_a.diff", 4, 3),
		"lora_unet_a.oft_blocks: this is OFT":                with("lora_unet_a.oft_blocks", 4, 4),
		"lora_unet_a.odd: not a name of an adapter's tensor": with("lora_unet_a.odd", 4),
		"has not both lora_down.weight and lora_up.weight":   {down},
		"no two factors of a weight":                         {down, random("lora_unet_a.lora_up.weight", tensors.F32, 4, 3)},
		"lora_unet_a.alpha is [2], not one number":           with("lora_unet_a.alpha", 2),
		"does not stand between":                             with("lora_unet_a.lora_mid.weight", 2, 2, 3, 3),
		"no adapter_config.json beside it":                   {random("base_model.model.a.lora_A.weight", tensors.F32, 2, 3), random("base_model.model.a.lora_B.weight", tensors.F32, 4, 2)},
		"is no adapter":                                      {random("a.weight", tensors.F32, 2, 3)},
	} {
		_, err := view.OpenAdapter(file(t, list...))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

// A model is no adapter, whatever some of its modules are called.
func TestAreAdapter(t *testing.T) {
	model := write(t, filepath.Join(t.TempDir(), "m"), random("diffusion_model.a.weight", tensors.F32, 2), random("b.weight", tensors.F32, 2), random("c.lora_A.weight", tensors.F32, 2, 2))
	if view.AreAdapter(model.Tensors()) {
		t.Error("a model with a lora_A is an adapter")
	}
	for path, want := range map[string]bool{"files/kohya.safetensors": true, "files/unet.safetensors": false, "lora-f32/adapter_model.safetensors": true, "turned-f32/adapter_model.safetensors": true} {
		if got := view.AreAdapter(open(t, filepath.Join("testdata", path)).Tensors()); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

// The products of an adapter as tensors, read in pieces, are s·BA.
func TestProducts(t *testing.T) {
	a := openAdapter(t, filepath.Join("testdata", "files", "kohya.safetensors"))
	base := open(t, filepath.Join("testdata", "files", "unet.safetensors"))
	want := open(t, filepath.Join("testdata", "files", "kohya-unet.safetensors"))
	for i, m := range a.Modules() {
		if m.Part != "denoiser" {
			continue
		}
		s := a.Changes([]view.Change{{Name: "x", Module: i, Shape: m.Shape}, {Name: "z", Module: -1, Shape: []int{3}}})
		got := numbers(t, s, "x")
		for _, info := range want.Tensors() {
			if flat := strings.ReplaceAll(info.Name, ".", "_"); flat != m.Rest+"_weight" {
				continue
			}
			x, w := numbers(t, want, info.Name), numbers(t, base, info.Name)
			for j := range x {
				x[j] -= w[j]
			}
			if !near(got, x, 1e-5) {
				t.Errorf("%s: %v, want %v", m.Name, got, x)
			}
		}
		piece := make([]float32, len(got)/2)
		if err := s.ReadAt(piece, "x", 1); err != nil || !near(piece, got[1:1+len(piece)], 0) {
			t.Errorf("%s: pieces differ, %v", m.Name, err)
		}
		if z := numbers(t, s, "z"); z[0] != 0 || len(z) != 3 {
			t.Errorf("%v", z)
		}
		left, right, err := a.Pair(i)
		if err != nil {
			t.Fatal(err)
		}
		sum := float32(0)
		for k := range m.Rank {
			sum += left[k] * right[k*len(right)/m.Rank]
		}
		if !near([]float32{sum * m.Scale}, got[:1], 1e-5) {
			t.Errorf("%s: factors make %v, not %v", m.Name, sum*m.Scale, got[0])
		}
	}
}

// file writes an adapter that is one file.
func file(t testing.TB, list ...tensor) string {
	path := filepath.Join(t.TempDir(), "adapter.safetensors")
	write(t, path, list...)
	return path
}
