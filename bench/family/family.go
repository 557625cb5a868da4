// Package family writes families of models of a given size for the benchmarks: a
// llama-like base in bfloat16 and two fine-tunes of it, the same on every machine.
package family

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/mergevo/mergevo/tensors"
)

// Models are the members of a family, the base first.
var Models = []string{"base", "ft1", "ft2"}

// changed is the share of entries in which each model differs from the base.
var changed = []float64{0, 0.3, 0.6}

// version is that of the numbers: a folder with others is refused.
const version = 2

// Bytes returns what a family takes on disk, nearly: the tensors alone.
func Bytes(s Shape) int64 { return int64(len(Models)) * 2 * int64(s.Parameters()) }

// Write makes the models of a family as folders under dir, in shards of at most
// shard bytes (0: one file). The base's entries are nearly normal, of deviation 0.02;
// a fine-tune adds 0.003 times such a number to some of them, each its own.
//
// Models that are there and hold this family stay. A folder that holds anything else
// is an error: nothing is overwritten.
func Write(ctx context.Context, dir string, s Shape, shard int64) error {
	for k, name := range Models {
		out := filepath.Join(dir, name)
		there, err := same(out, stamp("numbers", s, shard))
		if err != nil {
			return err
		}
		if there {
			continue
		}
		if err := s.write(ctx, out, k, shard); err != nil {
			return fmt.Errorf("%s: %w", out, err)
		}
	}
	return nil
}

// stamp says what a model of a family is; it is kept in the headers.
func stamp(kind string, s Shape, shard int64) string {
	return fmt.Sprintf("%s %d %+v shard:%d", kind, version, s, shard)
}

// same reports whether a folder holds a model with a stamp; no folder holds none.
func same(dir, want string) (bool, error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	c, err := tensors.Open(dir)
	if err != nil {
		return false, fmt.Errorf("%s is there, and is no model of a family: %w; remove it", dir, err)
	}
	defer c.Close()
	if have := c.Metadata()["family"]; have != want {
		return false, fmt.Errorf("%s is there, but holds %q instead of %q: remove it", dir, have, want)
	}
	return true, nil
}

// write makes model k.
func (s Shape) write(ctx context.Context, out string, k int, shard int64) error {
	list := s.Tensors()
	w, err := tensors.Create(out, list, tensors.Options{ShardSize: shard, Metadata: map[string]string{"family": stamp("numbers", s, shard)}})
	if err != nil {
		return err
	}
	defer w.Close()
	config, err := s.config()
	if err != nil {
		return err
	}
	if err := w.AddFile("config.json", config); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, t := range list {
		group.Go(func() error {
			buf := make([]float32, 1<<18)
			for off := 0; off < t.Len(); off += len(buf) {
				if err := ctx.Err(); err != nil {
					return err
				}
				v := buf[:min(len(buf), t.Len()-off)]
				fill(v, k, uint64(i)<<40|uint64(off))
				if err := w.WriteAt(v, t.Name, off); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return w.Commit()
}

// fill sets v to the entries of model k from a place on: a tensor's number in the
// bits from 40 on, an index in those below.
func fill(v []float32, k int, from uint64) {
	share := changed[k]
	for j := range v {
		at := from + uint64(j)
		// The base as it is stored. The conversions keep compilers from fusing
		// product and sum, which would round differently from machine to machine.
		x := brain(float32(0.02 * normal(hash(at))))
		if share > 0 {
			h := hash(at | uint64(k)<<60) // no base's number: tensors are fewer than 2^20
			if uniform(h) < share {
				x += float32(0.003 * normal(hash(h)))
			}
		}
		v[j] = x
	}
}

// hash is SplitMix64 (Steele, Lea & Flood 2014, Fast splittable pseudorandom number
// generators).
func hash(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// uniform is in [0, 1).
func uniform(h uint64) float64 { return float64(h>>11) / (1 << 53) }

// normal is nearly so, of deviation 1: a sum of four uniform numbers of 16 bits.
func normal(h uint64) float32 {
	sum := h&0xffff + h>>16&0xffff + h>>32&0xffff + h>>48
	return (float32(sum) - 2*0xffff) / (0xffff / 1.7320508)
}

// brain rounds to bfloat16, to nearest even.
func brain(x float32) float32 {
	b := math.Float32bits(x)
	return math.Float32frombits((b + 0x7fff + b>>16&1) & 0xffff0000)
}
