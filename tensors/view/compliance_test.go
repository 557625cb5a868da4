package view_test

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tensors/view"
)

// TestCompliance runs every kind of view, alone and on each other, in every type
// through the same questions. A checkpoint answers them too.
func TestCompliance(t *testing.T) {
	for _, dt := range []tensors.DType{tensors.F32, tensors.BF16, tensors.F16, tensors.F64} {
		for name, s := range sources(t, dt) {
			t.Run(dt.String()+"/"+name, func(t *testing.T) { comply(t, s) })
		}
	}
}

// sources makes a checkpoint with tensors of one type, and views of all kinds on it.
func sources(t *testing.T, dt tensors.DType) map[string]tensors.Source {
	dir := t.TempDir()
	base := write(t, filepath.Join(dir, "base.safetensors"),
		random("embed.weight", dt, 9, 7), random("fc.weight", dt, 13, 17), random("fc.bias", dt, 13), random("turned.weight", dt, 5, 19),
		random("conv.weight", dt, 4, 3, 2, 2), random("scalar", dt), random("empty", dt, 0, 3),
		values("ids", tensors.I64, []int{4}, 1, 2, 3, 4))
	other := write(t, filepath.Join(dir, "other.safetensors"), random("o", dt, 30, 7))
	must := func(s tensors.Source, err error) tensors.Source {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	all := map[string]tensors.Source{"checkpoint": base}
	all["rename"] = must(view.Rename(base, "renamed", map[string]string{"a": "fc.weight", "b": "fc.weight", "c": "ids", "d": "embed.weight", "e": "empty"}))
	all["alias"] = must(view.Alias(base, "head.weight", "embed.weight"))

	rows := []view.Row{{}, {}}
	for i := range 9 { // a run of other, then one of base
		rows = append(rows, view.Row{Of: []view.RowRef{{Source: other, Tensor: "o", Row: 3 + i}}})
	}
	for i := range 9 {
		rows = append(rows, view.Row{Of: []view.RowRef{{Source: base, Tensor: "embed.weight", Row: i}}})
	}
	mean := view.RowRef{Source: other, Tensor: "o", Row: view.MeanRow}
	rows = append(rows,
		view.Row{Of: []view.RowRef{{Source: other, Tensor: "o", Row: 29}, {Source: base, Tensor: "embed.weight", Row: 0}, {Source: base, Tensor: "embed.weight", Row: 1}}},
		view.Row{Of: []view.RowRef{mean}}, view.Row{Of: []view.RowRef{mean}},
		view.Row{Of: []view.RowRef{mean, {Source: base, Tensor: "embed.weight", Row: 8}}})
	all["rows"] = must(view.Rows(base, map[string][]view.Row{
		"embed.weight": rows,
		"fc.bias":      {{Of: []view.RowRef{{Source: base, Tensor: "fc.bias", Row: 12}}}, {Of: []view.RowRef{{Source: base, Tensor: "fc.bias", Row: view.MeanRow}}}},
		"ids":          {{}, {Of: []view.RowRef{{Source: base, Tensor: "ids", Row: 3}}}, {Of: []view.RowRef{{Source: base, Tensor: "ids", Row: 0}}}},
		"empty":        {},
	}))

	all["permuted"] = must(view.Permute(base, turnedPlaces(), []int{9, 6, 4}, func() ([][]int, error) {
		return [][]int{{8, 0, 1, 2, 5, 4, 3, 7, 6}, {4, 5, 1, 0, 2, 3}, {1, 3, 2, 0}}, nil
	}))
	all["permuted twice"] = must(view.Permute(all["permuted"], turnedPlaces(), []int{9, 6, 4}, func() ([][]int, error) {
		return [][]int{{1, 0, 2, 3, 4, 5, 8, 7, 6}, {0, 1, 2, 3, 4, 5}, {0, 1, 3, 2}}, nil
	}))

	for _, dora := range []bool{false, true} {
		name, config := "lora", `{"peft_type": "LORA", "r": 3, "lora_alpha": 5, "fan_in_fan_out": true}`
		list := []tensor{
			random("base_model.model.fc.lora_A.weight", tensors.F32, 3, 17), random("base_model.model.fc.lora_B.weight", tensors.F32, 13, 3),
			random("base_model.model.model.turned.lora_A.weight", tensors.BF16, 3, 5), random("base_model.model.model.turned.lora_B.weight", tensors.BF16, 19, 3),
			random("base_model.model.conv.lora_A.default.weight", tensors.F16, 3, 3, 2, 2), random("base_model.model.conv.lora_B.default.weight", tensors.F16, 4, 3, 1, 1),
			random("base_model.model.embed.lora_embedding_A.default", tensors.F32, 3, 9), random("base_model.model.embed.lora_embedding_B.default", tensors.F32, 7, 3),
			random("base_model.model.embed.base_layer.weight", tensors.F32, 9, 7),
		}
		if dora {
			name, config = "dora", strings.Replace(config, "{", `{"use_dora": true, `, 1)
			list = append(list, random("base_model.model.fc.base_layer.bias", tensors.F32, 13), values("base_model.model.ids", tensors.I64, []int{4}, 5, 6, 7, 8))
			for _, m := range []tensor{random("fc", tensors.F32, 13), random("model.turned", tensors.F32, 19), random("conv", tensors.F32, 1, 4, 1, 1), random("embed", tensors.F32, 7)} {
				m.Name = "base_model.model." + m.Name + ".lora_magnitude_vector"
				list = append(list, m)
			}
		} else {
			list = append(list, random("base_model.model.fc.lora_B.bias", tensors.F32, 13))
		}
		a := openAdapter(t, adapter(t, config, list...))
		all[name] = must(a.On(base))
		twice := must(view.Rename(all[name], "stacked", map[string]string{"x.fc.weight": "fc.weight", "turned.weight": "turned.weight", "fc.bias": "fc.bias", "embed.weight": "embed.weight", "conv.weight": "conv.weight", "ids": "ids"}))
		all[name+" on a view of itself"] = must(a.On(twice))
		all["rows of "+name] = must(view.Rows(all[name], map[string][]view.Row{"embed.weight": rows}))
	}
	return all
}

// turnedPlaces are places of all kinds in the checkpoint of sources: whole axes, blocks,
// groups, several axes of a tensor, a kernel behind the axis, a type that is no number.
func turnedPlaces() []view.Place {
	return []view.Place{
		{Tensor: "embed.weight", Axis: 0, Block: 1, Order: 0},
		{Tensor: "fc.weight", Axis: 1, At: 2, Block: 2, Order: 1},
		{Tensor: "fc.weight", Axis: 0, At: 1, Block: 3, Order: 2},
		{Tensor: "fc.bias", Axis: 0, At: 1, Block: 3, Order: 2},
		{Tensor: "turned.weight", Axis: 1, Block: 6, Order: 1, Group: 2},
		{Tensor: "conv.weight", Axis: 1, Block: 1, Order: 1, Group: 2},
		{Tensor: "conv.weight", Axis: 0, Block: 1, Order: 2},
		{Tensor: "ids", Axis: 0, Block: 1, Order: 2},
	}
}

func comply(t *testing.T, s tensors.Source) {
	if s.Path() == "" {
		t.Error("no path")
	}
	list := s.Tensors()
	if len(list) == 0 || !slices.IsSortedFunc(list, func(a, b tensors.Info) int { return strings.Compare(a.Name, b.Name) }) {
		t.Fatalf("tensors are not sorted by name: %v", list)
	}
	for _, info := range list {
		got, ok := s.Lookup(info.Name)
		if !ok || got.Name != info.Name || got.DType != info.DType || !slices.Equal(got.Shape, info.Shape) {
			t.Errorf("Lookup(%q) = %v, %v; Tensors has %v", info.Name, got, ok, info)
		}
		if len(got.Shape) > 0 {
			got.Shape[0] = -1
			if again, _ := s.Lookup(info.Name); again.Shape[0] == -1 {
				t.Errorf("%q: a caller can change its shape", info.Name)
			}
		}
		ranges(t, s, info)
	}
	if _, ok := s.Lookup("none"); ok {
		t.Error("Lookup finds a tensor that is not there")
	}
	fail := func([]byte) error { t.Error("use was called"); return nil }
	if err := s.ReadAt(make([]float32, 1), "none", 0); !errors.Is(err, tensors.ErrNoTensor) {
		t.Errorf("ReadAt of an unknown tensor: %v", err)
	}
	if err := s.Stored("none", 0, 0, fail); !errors.Is(err, tensors.ErrNoTensor) {
		t.Errorf("Stored of an unknown tensor: %v", err)
	}
	for _, info := range list {
		for _, r := range [][2]int{{-1, 1}, {0, info.Len() + 1}, {info.Len(), 1}, {info.Len() + 1, 0}, {math.MaxInt, 1}} {
			if err := s.ReadAt(make([]float32, r[1]), info.Name, r[0]); err == nil || !strings.Contains(err.Error(), info.Name) {
				t.Errorf("ReadAt(%q, %v): %v", info.Name, r, err)
			}
			if err := s.Stored(info.Name, r[0], r[1], fail); err == nil || !strings.Contains(err.Error(), info.Name) {
				t.Errorf("Stored(%q, %v): %v", info.Name, r, err)
			}
		}
		if err := s.Stored(info.Name, 0, -1, fail); err == nil {
			t.Errorf("Stored(%q) of -1 elements: no error", info.Name)
		}
	}
}

// ranges reads a tensor whole, and in many pieces by several goroutines, which must
// all see the same bits.
func ranges(t *testing.T, s tensors.Source, info tensors.Info) {
	var bits []byte
	first := s.Stored(info.Name, 0, info.Len(), func(b []byte) error {
		bits = slices.Clone(b)
		return nil
	})
	size := info.DType.Size()
	if first != nil || len(bits) != info.Len()*size {
		t.Fatalf("%q: %d bytes, %v", info.Name, len(bits), first)
	}
	mine := errors.New("mine")
	if err := s.Stored(info.Name, 0, info.Len(), func([]byte) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("%q: the error of use became %v", info.Name, err)
	}
	want := make([]float32, info.Len())
	if info.DType.Float() {
		if err := tensors.Decode(want, bits, info.DType); err != nil {
			t.Fatal(err)
		}
	} else if err := s.ReadAt(want, info.Name, 0); err == nil || !strings.Contains(err.Error(), info.DType.String()) {
		t.Errorf("%q is read as numbers: %v", info.Name, err)
	}
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(worker), 1))
			for range 40 {
				off := rng.IntN(info.Len() + 1)
				n := rng.IntN(info.Len() - off + 1)
				err := s.Stored(info.Name, off, n, func(b []byte) error {
					if !bytes.Equal(b, bits[off*size:(off+n)*size]) {
						t.Errorf("%q [%d, %d): other bytes than in the whole", info.Name, off, off+n)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
				if !info.DType.Float() {
					continue
				}
				got := make([]float32, n)
				if err := s.ReadAt(got, info.Name, off); err != nil {
					t.Error(err)
				}
				for i := range got {
					if math.Float32bits(got[i]) != math.Float32bits(want[off+i]) {
						t.Errorf("%q [%d, %d): ReadAt gives %v at %d, Stored %v", info.Name, off, off+n, got[i], i, want[off+i])
						return
					}
				}
			}
		})
	}
	group.Wait()
}
