package view

import (
	"sync"

	"github.com/mergevo/mergevo/tensors"
)

// pieceLen is the most numbers computed at once, 2 MiB of float32: enough rows to
// use each factor of an adapter several times while it is in the cache.
const pieceLen = 1 << 19

var (
	numberPool = sync.Pool{New: func() any { return new([]float32) }}
	bytePool   = sync.Pool{New: func() any { return new([]byte) }}
)

// withScratch calls fn with n elements of any content, which are its own until it
// returns.
func withScratch[T any](pool *sync.Pool, n int, fn func([]T) error) error {
	p := pool.Get().(*[]T)
	defer pool.Put(p)
	if cap(*p) < n {
		*p = make([]T, n)
	}
	return fn((*p)[:n])
}

// round rounds numbers to what a type can hold, where it holds less than float32.
func round(x []float32, dt tensors.DType) error {
	if dt == tensors.F32 || dt == tensors.F64 {
		return nil
	}
	return withScratch(&bytePool, min(len(x), 1<<14)*dt.Size(), func(b []byte) error {
		for len(x) > 0 {
			n := min(len(x), 1<<14)
			b := b[:n*dt.Size()]
			if err := tensors.Encode(b, x[:n], dt); err != nil {
				return err
			}
			if err := tensors.Decode(x[:n], b, dt); err != nil {
				return err
			}
			x = x[n:]
		}
		return nil
	})
}

// stored turns a reader of float32 numbers into bytes for use: elements
// [off, off+n) of type dt, computed a piece at a time.
func stored(dt tensors.DType, off, n int, use func([]byte) error, read func(dst []float32, off int) error) error {
	return withScratch(&bytePool, n*dt.Size(), func(b []byte) error {
		err := withScratch(&numberPool, min(n, pieceLen), func(x []float32) error {
			for done := 0; done < n; {
				x := x[:min(len(x), n-done)]
				if err := read(x, off+done); err != nil {
					return err
				}
				end := done + len(x)
				if err := tensors.Encode(b[done*dt.Size():end*dt.Size()], x, dt); err != nil {
					return err
				}
				done = end
			}
			return nil
		})
		if err != nil {
			return err
		}
		return use(b)
	})
}
