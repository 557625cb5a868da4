package merge

import (
	"encoding/binary"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/tensors"
)

// chunks lends device tensors of a chunk's shape, and keeps what comes back: where
// the device shares the host's memory, a piece of a parent costs one copy and no
// allocation.
type chunks struct {
	backend compute.Backend
	mu      sync.Mutex
	free    map[chunkShape][]*gmlx.Tensor
}

type chunkShape struct {
	dtype dtypes.DType
	size  int
}

// upload copies elements [off, off+n) of a stored tensor to the device as [1, size],
// zero-padded, in their stored type.
func (c *chunks) upload(s tensors.Source, name string, off, n, size int) (*gmlx.Tensor, error) {
	d, err := storedAs(s, name)
	if err != nil {
		return nil, err
	}
	t, err := c.take(chunkShape{d, size})
	if err != nil {
		return nil, err
	}
	err = s.Stored(name, off, n, func(part []byte) error {
		return t.MutableBytes(func(to []byte) {
			clear(to[copy(to, part):])
		})
	})
	if err != nil {
		c.give(t)
		return nil, err
	}
	return t, nil
}

func (c *chunks) take(k chunkShape) (*gmlx.Tensor, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if list := c.free[k]; len(list) > 0 {
		c.free[k] = list[:len(list)-1]
		return list[len(list)-1], nil
	}
	shape := shapes.Make(k.dtype, 1, k.size)
	return gmlx.FromRaw(c.backend, 0, shape, make([]byte, shape.ByteSize()))
}

// give takes a tensor back, which nothing on the device reads any more.
func (c *chunks) give(t *gmlx.Tensor) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := chunkShape{t.DType(), t.Shape().Dim(1)}
	c.free[k] = append(c.free[k], t)
}

func (c *chunks) finalize() {
	for _, list := range c.free {
		for _, t := range list {
			_ = t.FinalizeAll()
		}
	}
}

// nonfinite reports whether any of the encoded values is NaN or Inf: a value whose
// exponent is all ones.
func nonfinite(b []byte, d tensors.DType) bool {
	var ones, low uint64 // the exponents' bits, and the lowest bit of each value
	switch d {
	case tensors.BF16:
		ones, low = 0x7f807f807f807f80, 0x0001000100010001
	case tensors.F16:
		ones, low = 0x7c007c007c007c00, 0x0001000100010001
	case tensors.F32:
		ones, low = 0x7f8000007f800000, 0x0000000100000001
	default:
		ones, low = 0x7ff0000000000000, 1
	}
	high := low << (8*d.Size() - 1)
	// A value whose exponent is all ones becomes 0 where the others keep a bit below
	// the highest; adding all bits but that one carries into it.
	in := func(word uint64) uint64 { return ^(((word & ones) ^ ones) + (high - low)) & high }
	var found uint64
	for ; len(b) >= 8; b = b[8:] {
		found |= in(binary.LittleEndian.Uint64(b))
	}
	var last [8]byte // zeros behind the end are finite
	copy(last[:], b)
	return found|in(binary.LittleEndian.Uint64(last[:])) != 0
}
