package tensors_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/mergevo/mergevo/tensors"
)

// fill writes what a continued output lacks, and commits it.
func fill(w *tensors.Writer) error {
	for _, info := range model {
		if w.Done(info.Name) {
			continue
		}
		if err := w.WriteBytes(info.Name, 0, stored(info)); err != nil {
			return err
		}
	}
	if err := w.AddFile("config.json", []byte("{}")); err != nil {
		return err
	}
	return w.Commit()
}

// Many shards that are written in turn do not take a file each.
func TestFewFilesOpen(t *testing.T) {
	const count, bytes = 50, 7
	var layout []tensors.Info
	for i := range count {
		layout = append(layout, tensors.Info{Name: fmt.Sprint(i), DType: tensors.U8, Shape: []int{bytes}})
	}
	var mu sync.Mutex
	held, most := map[string]bool{}, 0
	dir := filepath.Join(t.TempDir(), "out")
	w, err := tensors.Create(dir, layout, tensors.Options{ShardSize: 1, Fault: func(op, path string) error {
		mu.Lock()
		defer mu.Unlock()
		switch op {
		case "after create", "after open":
			held[path] = filepath.Ext(path) == ".safetensors"
		case "after close", "after fsync":
			delete(held, path)
		}
		n := 0
		for _, shard := range held {
			if shard {
				n++
			}
		}
		most = max(most, n)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for off := range int64(bytes) {
		for _, info := range layout {
			if err := w.WriteBytes(info.Name, off, stored(info)[off:off+1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if most < 2 || most > tensors.MaxOpen {
		t.Errorf("%d files were open at a time; want at most %d", most, tensors.MaxOpen)
	}
	c := open(t, dir)
	for _, info := range layout {
		if b, err := c.Raw(info.Name); err != nil || string(b) != string(stored(info)) {
			t.Errorf("%s: %q, %v", info.Name, b, err)
		}
	}
}
