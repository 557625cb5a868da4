package tensors_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/mergevo/mergevo/tensors"
)

// BenchmarkWrite writes a gigabyte as a merge does: two goroutines, a tensor
// each, in pieces of 2 MB. Its baseline is cp of a gigabyte and sync.
func BenchmarkWrite(b *testing.B) {
	const size, piece, count = 32 << 20, 2 << 20, 32
	var layout []tensors.Info
	for i := range count {
		layout = append(layout, tensors.Info{Name: fmt.Sprintf("layer.%02d", i), DType: tensors.BF16, Shape: []int{size / 2}})
	}
	buf := make([]byte, piece)
	for i := range buf {
		buf[i] = byte(i * 7)
	}
	for _, shard := range []int64{0, 256 << 20} {
		b.Run(fmt.Sprint("shard=", shard>>20, "MB"), func(b *testing.B) {
			b.SetBytes(size * count)
			for b.Loop() {
				w, err := tensors.Create(filepath.Join(b.TempDir(), "out"), layout, tensors.Options{ShardSize: shard, Identity: "bench"})
				if err != nil {
					b.Fatal(err)
				}
				next := make(chan string)
				var all sync.WaitGroup
				for range 2 {
					all.Go(func() {
						for name := range next {
							for off := int64(0); off < size; off += piece {
								if err := w.WriteBytes(name, off, buf); err != nil {
									b.Error(err)
								}
							}
						}
					})
				}
				for _, t := range layout {
					next <- t.Name
				}
				close(next)
				all.Wait()
				if err := w.Commit(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCreate begins an output of 80 layers of three dozen tensors, in 360
// shards.
func BenchmarkCreate(b *testing.B) {
	var layout []tensors.Info
	for i := range 80 * 12 * 3 {
		layout = append(layout, tensors.Info{Name: fmt.Sprintf("model.layers.%d.self_attn.%d.weight", i/36, i%36), DType: tensors.BF16, Shape: []int{64, 64}})
	}
	for _, identity := range []string{"", "bench"} {
		b.Run("identity="+identity, func(b *testing.B) {
			for b.Loop() {
				w, err := tensors.Create(filepath.Join(b.TempDir(), "out"), layout, tensors.Options{ShardSize: 64 << 10, Identity: identity})
				if err != nil {
					b.Fatal(err)
				}
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
