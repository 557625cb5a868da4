package view_test

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/mergevo/mergevo/tensors"
)

// tensor is one to write: numbers in its type.
type tensor struct {
	tensors.Info
	values []float32
}

// values makes a tensor of given numbers.
func values(name string, dt tensors.DType, shape []int, x ...float32) tensor {
	return tensor{tensors.Info{Name: name, DType: dt, Shape: shape}, x}
}

// random makes a tensor of numbers around 0, the same ones for the same name.
func random(name string, dt tensors.DType, shape ...int) tensor {
	seed := uint64(len(shape))
	for _, b := range []byte(name) {
		seed = seed*31 + uint64(b)
	}
	rng := rand.New(rand.NewPCG(seed, 7))
	t := values(name, dt, shape)
	t.values = make([]float32, t.Len())
	for i := range t.values {
		t.values[i] = float32(rng.NormFloat64())
	}
	return t
}

// write writes tensors to a file and opens it. Types that are not floating point
// hold the numbers as little-endian integers.
func write(t testing.TB, path string, list ...tensor) *tensors.Checkpoint {
	t.Helper()
	layout := make([]tensors.Info, len(list))
	for i, x := range list {
		layout[i] = x.Info
	}
	w, err := tensors.Create("", layout, tensors.Options{Single: path})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, x := range list {
		if x.DType.Float() {
			err = w.WriteAt(x.values, x.Name, 0)
		} else {
			var b []byte
			for _, v := range x.values {
				b = append(b, binary.LittleEndian.AppendUint64(nil, uint64(v))[:x.DType.Size()]...)
			}
			err = w.WriteBytes(x.Name, 0, b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	return open(t, path)
}

func open(t testing.TB, path string) *tensors.Checkpoint {
	t.Helper()
	c, err := tensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// adapter writes an adapter and returns its folder.
func adapter(t testing.TB, config string, list ...tensor) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "adapter_config.json"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "adapter_model.safetensors"), list...)
	return dir
}

// numbers reads a whole tensor.
func numbers(t testing.TB, s tensors.Source, name string) []float32 {
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
