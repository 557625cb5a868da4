package view_test

import (
	"errors"
	"math"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/tensors"
)

const plainConfig = `{"peft_type": "LORA", "r": 2, "lora_alpha": 3}`

// A weight larger than every block of the computation, against the formula written
// out, straight and transposed, with and without DoRA.
func TestAdapterBlocks(t *testing.T) {
	const out, in, rank = 130, 4200, 5
	A, B, M := random("A", tensors.F32, rank, in), random("B", tensors.F32, out, rank), random("M", tensors.F32, out)
	A.Name, B.Name, M.Name = "base_model.model.fc.lora_A.weight", "base_model.model.fc.lora_B.weight", "base_model.model.fc.lora_magnitude_vector"
	scale := float32(2 / math.Sqrt(rank))
	product := make([]float32, out*in)
	for i := range out {
		for j := range in {
			var s float32
			for k := range rank {
				s += float32(B.values[i*rank+k] * A.values[k*in+j])
			}
			product[i*in+j] = float32(s * scale)
		}
	}
	for _, transposed := range []bool{false, true} {
		for _, dora := range []bool{false, true} {
			W, config, list := random("fc.weight", tensors.F32, out, in), `{"peft_type": "LORA", "r": 5, "lora_alpha": 2, "use_rslora": true}`, []tensor{A, B}
			if transposed {
				W = random("fc.weight", tensors.F32, in, out)
			}
			if dora {
				config = strings.Replace(config, "{", `{"use_dora": true, `, 1)
				list = append(list, M)
			}
			at := func(i, j int) int { // of output i and input j in W
				if transposed {
					return j*out + i
				}
				return i*in + j
			}
			want := make([]float32, out*in)
			for i := range out {
				squares := 0.0
				for j := range in {
					v := W.values[at(i, j)] + product[i*in+j]
					want[at(i, j)] = v
					squares += float64(v) * float64(v)
				}
				if dora {
					f := M.values[i] / float32(math.Sqrt(squares))
					for j := range in {
						want[at(i, j)] *= f
					}
				}
			}
			base := write(t, filepath.Join(t.TempDir(), "w"), W)
			v, err := openAdapter(t, adapter(t, config, list...)).On(base)
			if err != nil {
				t.Fatal(err)
			}
			limit := 0.0
			if dora || runtime.GOARCH != "amd64" {
				limit = 1e-6
			}
			if !near(numbers(t, v, "fc.weight"), want, limit) {
				t.Errorf("transposed %v, DoRA %v: not W + s·BA", transposed, dora)
			}
			err = v.Stored("fc.weight", 1, out*in-1, func(b []byte) error {
				got := make([]float32, out*in-1)
				if err := tensors.Decode(got, b, tensors.F32); err != nil {
					return err
				}
				if !near(got, want[1:], limit) {
					t.Errorf("transposed %v, DoRA %v: Stored is not W + s·BA", transposed, dora)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
	}
}

// Names with one leading component more or less, and whole tensors in other types.
func TestAdapterNames(t *testing.T) {
	base := write(t, filepath.Join(t.TempDir(), "m"), random("model.a.weight", tensors.BF16, 4, 3), random("b.weight", tensors.BF16, 4, 3), random("score.weight", tensors.BF16, 2, 3), random("norm.bias", tensors.BF16, 3))
	list := []tensor{
		random("a.lora_A.weight", tensors.F32, 2, 3), random("a.lora_B.weight", tensors.F32, 4, 2),
		random("base_model.model.model.b.lora_A.other.weight", tensors.F32, 2, 3), random("base_model.model.model.b.lora_B.other.weight", tensors.F32, 4, 2),
		random("base_model.model.score.modules_to_save.default.weight", tensors.F32, 2, 3),
		random("base_model.model.norm.base_layer.bias", tensors.F16, 3),
	}
	a := openAdapter(t, adapter(t, `{"base_model_name_or_path": "org/base", `+plainConfig[1:], list...))
	v, err := a.On(base)
	if err != nil {
		t.Fatal(err)
	}
	if a.Base() != "org/base" || !strings.Contains(v.Path(), a.Path()) || !strings.Contains(v.Path(), base.Path()) {
		t.Errorf("%s, an adapter of %s", v.Path(), a.Base())
	}
	for _, name := range []string{"model.a.weight", "b.weight", "score.weight", "norm.bias"} {
		if near(numbers(t, v, name), numbers(t, base, name), 0) {
			t.Errorf("%s is as it was", name)
		}
		if info, _ := v.Lookup(name); info.DType != tensors.BF16 {
			t.Errorf("%s is %v", name, info.DType)
		}
	}
	if !near(numbers(t, v, "score.weight"), list[4].values, 0x1p-8) {
		t.Error("score.weight is not what the adapter holds")
	}
	if len(v.Tensors()) != 4 {
		t.Errorf("%v", v.Tensors())
	}
}

// A square weight lies as fan_in_fan_out says.
func TestAdapterSquare(t *testing.T) {
	base := write(t, filepath.Join(t.TempDir(), "m"), values("fc.weight", tensors.F32, []int{2, 2}, 0, 0, 0, 0))
	A, B := values("fc.lora_A.weight", tensors.F32, []int{1, 2}, 1, 2), values("fc.lora_B.weight", tensors.F32, []int{2, 1}, 10, 100)
	for config, want := range map[string][]float32{`"fan_in_fan_out": false`: {10, 20, 100, 200}, `"fan_in_fan_out": true`: {10, 100, 20, 200}} {
		v, err := openAdapter(t, adapter(t, `{"peft_type": "LORA", "r": 1, "lora_alpha": 1, `+config+`}`, A, B)).On(base)
		if err != nil {
			t.Fatal(err)
		}
		if got := numbers(t, v, "fc.weight"); !near(got, want, 0) {
			t.Errorf("%s: %v, want %v", config, got, want)
		}
	}
}

// The first pattern that matches a module's name, or its end after a dot, counts.
func TestAdapterPatterns(t *testing.T) {
	base := write(t, filepath.Join(t.TempDir(), "m"), values("m.fc.weight", tensors.F32, []int{1, 1}, 0))
	A, B := values("m.fc.lora_A.weight", tensors.F32, []int{2, 1}, 1, 0), values("m.fc.lora_B.weight", tensors.F32, []int{1, 2}, 1, 0)
	for patterns, want := range map[string]float32{
		`"rank_pattern": {"c": 4}, "alpha_pattern": {"f": 9}`:         1.5,
		`"rank_pattern": null, "alpha_pattern": {"fc": 9, "m.fc": 1}`: 4.5,
		`"alpha_pattern": {"m.fc": 1, "fc": 9}`:                       0.5,
		`"alpha_pattern": {"^fc": 9, "^m.[a-f]*": 5}`:                 2.5,
		`"r": 7, "rank_pattern": {"fc": 2}`:                           1.5,
	} {
		v, err := openAdapter(t, adapter(t, `{"peft_type": "LORA", "r": 2, "lora_alpha": 3, `+patterns+`}`, A, B)).On(base)
		if err != nil {
			t.Errorf("%s: %v", patterns, err)
			continue
		}
		if got := numbers(t, v, "m.fc.weight"); got[0] != want {
			t.Errorf("%s: scale %v, want %v", patterns, got[0], want)
		}
	}
}

// Making a view reads nothing, and a DoRA norm is computed once.
func TestAdapterReadsLittle(t *testing.T) {
	src := &counted{Source: write(t, filepath.Join(t.TempDir(), "m"), random("fc.weight", tensors.F32, 4, 3))}
	v, err := openAdapter(t, adapter(t, `{"peft_type": "LORA", "r": 2, "use_dora": true}`, random("fc.lora_A.weight", tensors.F32, 2, 3), random("fc.lora_B.weight", tensors.F32, 4, 2), random("fc.lora_magnitude_vector", tensors.F32, 4))).On(src)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int64{0, 2, 3} {
		if got := src.reads.Load() + src.copies.Load(); got != want {
			t.Errorf("%d reads, want %d", got, want)
		}
		if err := v.ReadAt(make([]float32, 1), "fc.weight", 5); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAdapterClosed(t *testing.T) {
	base := write(t, filepath.Join(t.TempDir(), "m"), random("fc.weight", tensors.F32, 4, 3))
	a := openAdapter(t, adapter(t, plainConfig, random("fc.lora_A.weight", tensors.F32, 2, 3), random("fc.lora_B.weight", tensors.F32, 4, 2)))
	v, err := a.On(base)
	if err != nil {
		t.Fatal(err)
	}
	a.Close()
	for range 2 { // what failed is not kept
		if err := v.ReadAt(make([]float32, 1), "fc.weight", 0); !errors.Is(err, tensors.ErrClosed) {
			t.Errorf("error %v", err)
		}
	}
}

// Rows of a large layer, in bfloat16, by rank. Bytes are those of the weight.
func BenchmarkAdapter(b *testing.B) {
	const out, in = 1024, 4096
	base := write(b, filepath.Join(b.TempDir(), "m"), random("fc.weight", tensors.BF16, out, in))
	for _, bench := range []struct {
		name, config string
		rank         int
	}{{"16", `"r": 16`, 16}, {"64", `"r": 64`, 64}, {"256", `"r": 256`, 256}} {
		b.Run("rank="+bench.name, func(b *testing.B) {
			a := openAdapter(b, adapter(b, `{"peft_type": "LORA", `+bench.config+`}`, random("fc.lora_A.weight", tensors.F32, bench.rank, in), random("fc.lora_B.weight", tensors.F32, out, bench.rank)))
			v, err := a.On(base)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(out * in * 2)
			for b.Loop() {
				if err := v.Stored("fc.weight", 0, out*in, func([]byte) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(bench.rank)*out*in*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
		})
	}
}
