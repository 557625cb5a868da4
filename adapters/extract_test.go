package adapters_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/adapters"
	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tensors/view"
)

// extracted cuts an adapter out, writes it as PEFT's folder, and opens it.
func extracted(t *testing.T, fine, base tensors.Source, how adapters.Extraction) (*adapters.Extracted, *view.Adapter) {
	t.Helper()
	x, err := adapters.Extract(t.Context(), fine, base, how)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "out")
	w, err := tensors.Create(dir, x.Layout(), tensors.Options{Name: adapters.WeightsName})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	config, err := x.Config()
	if err == nil {
		err = w.AddFile(adapters.ConfigName, config)
	}
	if err == nil {
		err = x.Write(w)
	}
	if err == nil {
		err = w.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
	return x, adapter(t, dir)
}

func read(t *testing.T, s tensors.Source, name string) []float32 {
	t.Helper()
	info, ok := s.Lookup(name)
	if !ok {
		t.Fatalf("%s has no %s", s.Path(), name)
	}
	x := make([]float32, info.Len())
	if err := s.ReadAt(x, name, 0); err != nil {
		t.Fatal(err)
	}
	return x
}

// far is the largest difference of a tensor of two models.
func far(t *testing.T, a, b tensors.Source, name string) float64 {
	x, y := read(t, a, name), read(t, b, name)
	most := 0.0
	for i := range x {
		most = max(most, math.Abs(float64(x[i])-float64(y[i])))
	}
	return most
}

// The nearest products of the differences of two models are NumPy's, and what else
// differs is told.
func TestExtract(t *testing.T) {
	text, err := os.ReadFile("testdata/near.json")
	if err != nil {
		t.Fatal(err)
	}
	var parts map[string]float64
	if err := json.Unmarshal(text, &parts); err != nil {
		t.Fatal(err)
	}
	fine, base, near := open(t, "testdata/fine.safetensors"), open(t, "testdata/base.safetensors"), open(t, "testdata/near.safetensors")
	x, a := extracted(t, fine, base, adapters.Extraction{Cut: adapters.Cut{Rank: 4}, DType: tensors.F32, Base: "b"})
	if len(x.Kept) != 3 || x.Same != 1 || x.Rounding != 0 || a.Base() != "b" {
		t.Errorf("%+v", x)
	}
	for _, k := range x.Kept {
		want := parts[k.Module]
		if k.Rank != 4 || math.Abs(k.Energy-want) > 1e-6 || math.Abs(k.Error-math.Sqrt(1-want)) > 1e-5 {
			t.Errorf("%+v, NumPy keeps %g", k, want)
		}
	}
	var told []string
	for _, l := range x.LeftOut {
		told = append(told, l.Tensor)
	}
	if len(told) != 2 || told[0] != "embed_tokens.weight" && told[1] != "embed_tokens.weight" {
		t.Errorf("left out: %v", x.LeftOut)
	}
	sum, err := a.On(base)
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range near.Tensors() {
		got, from, want := read(t, sum, info.Name), read(t, base, info.Name), read(t, near, info.Name)
		for i := range got {
			if math.Abs(float64(got[i])-float64(from[i])-float64(want[i])) > 1e-6 {
				t.Fatalf("%s[%d]: %g, NumPy has %g", info.Name, i, got[i]-from[i], want[i])
			}
		}
	}
}

// An adapter that was added to a model comes out of it again, with its rank and within
// 1e-5, whatever larger rank is allowed; of bfloat16 what rounding leaves of it.
func TestExtractRoundTrip(t *testing.T) {
	for _, dtype := range []tensors.DType{tensors.F32, tensors.BF16} {
		base := model(t, dtype, 200, 160)
		made := thin(t, 200, 160, 8)
		fine, err := made.On(base)
		if err != nil {
			t.Fatal(err)
		}
		for _, cut := range []adapters.Cut{{Rank: 8}, {Rank: 24}, {Energy: 0.9999999}} {
			if dtype == tensors.BF16 && cut.Energy > 0 {
				continue // rounding holds more than that
			}
			x, a := extracted(t, fine, base, adapters.Extraction{Cut: cut, DType: tensors.F32})
			if len(x.Kept) != 1 || x.Kept[0].Rank != 8 {
				t.Errorf("%v, %+v: %+v", dtype, cut, x.Kept)
			}
			sum, err := a.On(base)
			if err != nil {
				t.Fatal(err)
			}
			limit := map[tensors.DType]float64{tensors.F32: 1e-5, tensors.BF16: 0x1p-6}[dtype]
			if d := far(t, sum, fine, "fc.weight"); d > limit {
				t.Errorf("%v, %+v: %g away", dtype, cut, d)
			}
		}
	}
}

// Weights that differ by rounding alone give no adapter.
func TestExtractRounding(t *testing.T) {
	base := model(t, tensors.F32, 80, 70)
	_, err := adapters.Extract(t.Context(), model(t, tensors.BF16, 80, 70), base, adapters.Extraction{Cut: adapters.Cut{Rank: 4}, DType: tensors.F32})
	if err == nil || !strings.Contains(err.Error(), "by more than rounding") {
		t.Errorf("error %v", err)
	}
}

// model is a model of one layer, the same numbers for the same shape.
func model(t *testing.T, dtype tensors.DType, rows, cols int) *tensors.Checkpoint {
	return drawn(t, "m.safetensors", map[string][]int{"fc.weight": {rows, cols}}, dtype)
}

// thin is an adapter of that layer.
func thin(t *testing.T, rows, cols, rank int) *view.Adapter {
	c := drawn(t, "a.safetensors", map[string][]int{"fc.lora_A.weight": {rank, cols}, "fc.lora_B.weight": {rows, rank}}, tensors.F32)
	return adapter(t, c.Path())
}

func drawn(t *testing.T, name string, shapes map[string][]int, dtype tensors.DType) *tensors.Checkpoint {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	var layout []tensors.Info
	for n, shape := range shapes {
		layout = append(layout, tensors.Info{Name: n, DType: dtype, Shape: shape})
	}
	w, err := tensors.Create("", layout, tensors.Options{Single: path})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, info := range layout {
		x := make([]float32, info.Len())
		for i := range x { // a walk that fills [-1, 1) evenly
			x[i] = float32(2*math.Mod(float64(i+len(info.Name))*0.6180339887498949*float64(1+i%7), 1) - 1)
			if strings.Contains(info.Name, "lora_B") {
				x[i] /= 16 // changes are smaller than what they change
			}
		}
		if err := w.WriteAt(x, info.Name, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	return open(t, path)
}
