package evaluate_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/tensors"
)

// digits is a task over the validation digits.
func digits(t evaluate.Task) evaluate.Task {
	t.Name, t.Data, t.Inputs, t.Targets = "digits", filepath.Join(mnist, "val.safetensors"), "images", "labels"
	return t
}

func load(t *testing.T, task evaluate.Task) [3]*evaluate.Dataset {
	t.Helper()
	parts, err := evaluate.Load(task, []int{1, 28, 28}, 10)
	if err != nil {
		t.Fatal(err)
	}
	return parts
}

// data writes a data file with the given tensors.
func data(t *testing.T, layout []tensors.Info, raw map[string][]byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "data.safetensors")
	w, err := tensors.Create("", layout, tensors.Options{Single: file})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for name, b := range raw {
		if err := w.WriteBytes(name, 0, b); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	return file
}

// Rotation is numpy's rot90 over the last two axes.
func TestRotate(t *testing.T) {
	file := data(t, []tensors.Info{{Name: "images", DType: tensors.U8, Shape: []int{1, 2, 2}}, {Name: "labels", DType: tensors.U8, Shape: []int{1}}},
		map[string][]byte{"images": {1, 2, 3, 4}, "labels": {0}})
	for degrees, want := range map[int][]byte{0: {1, 2, 3, 4}, 90: {2, 4, 1, 3}, 180: {4, 3, 2, 1}, 270: {3, 1, 4, 2}} {
		parts, err := evaluate.Load(evaluate.Task{Name: "r", Data: file, Inputs: "images", Targets: "labels", Rotate: degrees}, []int{1, 2, 2}, 10)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(parts[evaluate.Search].Inputs, want) {
			t.Errorf("%d degrees: %v, want %v", degrees, parts[evaluate.Search].Inputs, want)
		}
	}
}

// Images may have their channels last, and are the same images then: bytes, floats.
func TestChannelsLast(t *testing.T) {
	first := []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12} // [2, 2, 3]: 2 channels of 2 rows
	last := []byte{1, 7, 2, 8, 3, 9, 4, 10, 5, 11, 6, 12}
	for _, dtype := range []tensors.DType{tensors.U8, tensors.F32} {
		var keys []evaluate.Key
		for _, c := range []struct {
			shape []int
			raw   []byte
		}{{[]int{1, 2, 2, 3}, first}, {[]int{1, 2, 3, 2}, last}} {
			want, raw := first, c.raw
			if dtype == tensors.F32 {
				want, raw = wide(t, first), wide(t, c.raw)
			}
			file := data(t, []tensors.Info{{Name: "images", DType: dtype, Shape: c.shape}, {Name: "labels", DType: tensors.U8, Shape: []int{1}}},
				map[string][]byte{"images": raw, "labels": {0}})
			parts, err := evaluate.Load(evaluate.Task{Name: "c", Data: file, Inputs: "images", Targets: "labels"}, []int{2, 2, 3}, 10)
			if err != nil {
				t.Fatal(err)
			}
			d := parts[evaluate.Search]
			if !slices.Equal(d.Inputs, want) {
				t.Errorf("%s %v: %v, want %v", dtype, c.shape, d.Inputs, want)
			}
			keys = append(keys, d.Keys[0])
		}
		if keys[0] != keys[1] {
			t.Errorf("%s: one image has two keys", dtype)
		}
	}
}

// wide is bytes' values as float32.
func wide(t *testing.T, values []byte) []byte {
	t.Helper()
	floats, out := make([]float32, len(values)), make([]byte, 4*len(values))
	for i, v := range values {
		floats[i] = float32(v)
	}
	if err := tensors.Encode(out, floats, tensors.F32); err != nil {
		t.Fatal(err)
	}
	return out
}

// A split shares all examples out, near its shares, and an image goes the same way
// in every task that shows it.
func TestSplit(t *testing.T) {
	split := evaluate.Split{Search: 0.5, Validation: 0.3, Test: 0.2}
	upright, turned := load(t, digits(evaluate.Task{Split: split})), load(t, digits(evaluate.Task{Split: split, Rotate: 90}))
	total := 0
	for i, share := range []float64{0.5, 0.3, 0.2} {
		n := upright[i].Len()
		total += n
		if d := float64(n) - 2000*share; d < -90 || d > 90 {
			t.Errorf("%v has %d of 2000 examples", evaluate.Part(i), n)
		}
		if !slices.Equal(upright[i].Keys, turned[i].Keys) {
			t.Errorf("%v: a turned image goes another way", evaluate.Part(i))
		}
	}
	if total != 2000 {
		t.Errorf("%d examples in all", total)
	}
	if err := evaluate.Overlap(upright[:1], upright[1:]); err != nil {
		t.Error(err)
	}
	if err := evaluate.Overlap(upright[:1], turned[:1]); err == nil || !strings.Contains(err.Error(), "are also in task digits") {
		t.Errorf("the same images: %v", err)
	}
}

func TestLimitAndLabels(t *testing.T) {
	few := load(t, digits(evaluate.Task{Labels: []int{3, 8}, Limit: 50}))[evaluate.Search]
	if few.Len() != 50 {
		t.Errorf("%d examples", few.Len())
	}
	for _, l := range few.Labels {
		if l != 3 && l != 8 {
			t.Fatalf("label %d", l)
		}
	}
	again, other := load(t, digits(evaluate.Task{Labels: []int{3, 8}, Limit: 50}))[evaluate.Search], load(t, digits(evaluate.Task{Labels: []int{3, 8}, Limit: 50, SampleSeed: 1}))[evaluate.Search]
	if !slices.Equal(few.Keys, again.Keys) || slices.Equal(few.Keys, other.Keys) {
		t.Error("a sample depends on its seed, and on nothing else")
	}
}

func TestDatasetErrors(t *testing.T) {
	images := func(n int) tensors.Info {
		return tensors.Info{Name: "images", DType: tensors.U8, Shape: []int{n, 2, 2}}
	}
	labels := tensors.Info{Name: "labels", DType: tensors.U8, Shape: []int{1}}
	one := map[string][]byte{"images": {1, 2, 3, 4}, "labels": {7}}
	for _, c := range []struct {
		name, want string
		task       evaluate.Task
	}{
		{"no file", "no such file", evaluate.Task{Data: "nowhere.safetensors"}},
		{"no inputs", `no tensor "pictures" for the inputs; it holds images, labels`, evaluate.Task{Data: data(t, []tensors.Info{images(1), labels}, one), Inputs: "pictures"}},
		{"no labels", `no tensor "classes" for the labels`, evaluate.Task{Data: data(t, []tensors.Info{images(1), labels}, one), Targets: "classes"}},
		{"counts differ", "want [n, ...] and [n]", evaluate.Task{Data: data(t, []tensors.Info{images(2), labels}, map[string][]byte{"images": make([]byte, 8), "labels": {1}})}},
		{"shape", "an example has shape [3 3], the model takes [1 2 2]", evaluate.Task{Data: data(t, []tensors.Info{{Name: "images", DType: tensors.U8, Shape: []int{1, 3, 3}}, labels}, map[string][]byte{"images": make([]byte, 9), "labels": {1}})}},
		{"label range", "example 0 has label 7, the model has 5 outputs", evaluate.Task{Data: data(t, []tensors.Info{images(1), labels}, one)}},
		{"no such label", "no example has one of the labels [2]", evaluate.Task{Data: data(t, []tensors.Info{images(1), labels}, map[string][]byte{"images": {1, 2, 3, 4}, "labels": {1}}), Labels: []int{2}}},
		{"label type", "labels labels are F32", evaluate.Task{Data: data(t, []tensors.Info{images(1), {Name: "labels", DType: tensors.F32, Shape: []int{1}}}, map[string][]byte{"images": {1, 2, 3, 4}, "labels": make([]byte, 4)})}},
	} {
		c.task.Name = "t"
		if c.task.Inputs == "" {
			c.task.Inputs = "images"
		}
		if c.task.Targets == "" {
			c.task.Targets = "labels"
		}
		_, err := evaluate.Load(c.task, []int{1, 2, 2}, 5)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "task t: ") {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}
