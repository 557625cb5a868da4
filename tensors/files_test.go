package tensors_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/mergevo/mergevo/tensors"
)

// file is a safetensors file with any header, right or wrong.
func file(header string, data ...byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

// put writes content under a name in dir and returns the path.
func put(t testing.TB, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
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

// model is a layout of all that the format allows, and stored bytes for it.
var model = []tensors.Info{
	{Name: "a.f32", DType: tensors.F32, Shape: []int{2, 3}},
	{Name: "b.bf16", DType: tensors.BF16, Shape: []int{5}},
	{Name: "c.f16", DType: tensors.F16, Shape: []int{3, 1, 2}},
	{Name: "d.f64", DType: tensors.F64, Shape: []int{4}},
	{Name: "e.empty", DType: tensors.F32, Shape: []int{0, 7}},
	{Name: "f.scalar", DType: tensors.BF16, Shape: []int{}},
	{Name: "g.ids", DType: tensors.I64, Shape: []int{3}},
	{Name: "h.mask", DType: tensors.BOOL, Shape: []int{3}},
	{Name: "i.<fp8>&", DType: tensors.F8E4M3, Shape: []int{7}},
	{Name: "j.f4", DType: tensors.F4, Shape: []int{4}},
	{Name: "k \"quoted\"\n", DType: tensors.U8, Shape: []int{1}},
}

func stored(t tensors.Info) []byte {
	return bytes.Repeat([]byte(t.Name), int(t.Bytes()))[:t.Bytes()]
}

// write writes every tensor of a layout with the bytes that stored gives.
func write(t testing.TB, dir string, layout []tensors.Info, o tensors.Options) {
	t.Helper()
	w, err := tensors.Create(dir, layout, o)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, info := range layout {
		if err := w.WriteBytes(info.Name, 0, stored(info)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}

// names lists a folder.
func names(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	list := []string{}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}
