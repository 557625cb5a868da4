package merge

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/mergevo/mergevo/tensors"
)

// smallestNormal is the least float32 that every backend keeps: XLA on CPU
// flushes smaller ones to zero, so masks treat them as zero everywhere.
const smallestNormal = 0x1p-126

// magnitudes calls visit with blocks of |source - base|, subnormals flushed to zero,
// in index order. The block is reused.
func (p *Profile) magnitudes(source int, visit func(off int, mag []float32)) error {
	mag, scratch := make([]float32, blockLen), make([]float32, blockLen)
	for off := 0; off < p.n; off += blockLen {
		m := mag[:min(blockLen, p.n-off)]
		if err := p.magnitudeAt(source, off, m, scratch); err != nil {
			return err
		}
		visit(off, m)
	}
	return nil
}

// magnitudeAt reads |source - base| from element off on, subnormals flushed to zero;
// scratch is as long as dst, or longer.
func (p *Profile) magnitudeAt(source, off int, dst, scratch []float32) error {
	largest, err := p.brainMagnitudes(source, off, dst)
	if err == errOtherTypes {
		if err = p.delta(source, off, dst, scratch); err == nil {
			for i, x := range dst {
				bits := flushedBits(x)
				largest = max(largest, bits)
				dst[i] = math.Float32frombits(bits)
			}
		}
	}
	if err != nil {
		return err
	}
	if largest > math.Float32bits(math.MaxFloat32) {
		return fmt.Errorf("%s: the task vector of source %d holds NaN or Inf, so its entries have no order", p.tensor, source+1)
	}
	return nil
}

// errOtherTypes says that a faster path is for other types.
var errOtherTypes = fmt.Errorf("not two bfloat16 tensors")

// brainMagnitudes is magnitudeAt for a source and a base of bfloat16, which is what
// most models are: one loop, without decoding them apart. It returns the bits of the
// largest magnitude.
func (p *Profile) brainMagnitudes(source, off int, dst []float32) (largest uint32, err error) {
	src := p.source[source]
	if p.base == nil || !brain(src, p.tensor) || !brain(p.base, p.tensor) {
		return 0, errOtherTypes
	}
	err = src.Stored(p.tensor, off, len(dst), func(x []byte) error {
		return p.base.Stored(p.tensor, off, len(dst), func(b []byte) error {
			largest = subtractBrains(dst, x, b)
			return nil
		})
	})
	return largest, err
}

func brain(s tensors.Source, name string) bool {
	info, ok := s.Lookup(name)
	return ok && info.DType == tensors.BF16
}

// subtractBrains sets dst to |x - b| of little-endian bfloat16 values, flushed, and
// returns the bits of the largest.
func subtractBrains(dst []float32, x, b []byte) (largest uint32) {
	n, largest := subtractMany(dst, x, b)
	dst, x, b = dst[n:], x[2*n:], b[2*n:]
	for ; len(dst) >= 4 && len(x) >= 8 && len(b) >= 8; dst, x, b = dst[4:], x[8:], b[8:] {
		u, v := binary.LittleEndian.Uint64(x), binary.LittleEndian.Uint64(b)
		m0 := flushedBits(math.Float32frombits(uint32(u)<<16) - math.Float32frombits(uint32(v)<<16))
		m1 := flushedBits(math.Float32frombits(uint32(u)&0xffff0000) - math.Float32frombits(uint32(v)&0xffff0000))
		m2 := flushedBits(math.Float32frombits(uint32(u>>32)<<16) - math.Float32frombits(uint32(v>>32)<<16))
		m3 := flushedBits(math.Float32frombits(uint32(u>>32)&0xffff0000) - math.Float32frombits(uint32(v>>32)&0xffff0000))
		dst[0], dst[1] = math.Float32frombits(m0), math.Float32frombits(m1)
		dst[2], dst[3] = math.Float32frombits(m2), math.Float32frombits(m3)
		largest = max(largest, m0, m1, m2, m3)
	}
	for i := range dst {
		u, v := binary.LittleEndian.Uint16(x[2*i:]), binary.LittleEndian.Uint16(b[2*i:])
		m := flushedBits(math.Float32frombits(uint32(u)<<16) - math.Float32frombits(uint32(v)<<16))
		dst[i] = math.Float32frombits(m)
		largest = max(largest, m)
	}
	return largest
}

// magnitudeBits are the bits of |x|, which order as magnitudes do.
func magnitudeBits(x float32) uint32 { return math.Float32bits(x) &^ (1 << 31) }

// flushedBits are the bits of |x|, 0 for a subnormal.
func flushedBits(x float32) uint32 {
	bits := magnitudeBits(x)
	if bits < 0x00800000 {
		bits = 0
	}
	return bits
}

// floored is a magnitude with subnormals flushed to zero.
func floored(x float32) float32 {
	if x < smallestNormal {
		return 0
	}
	return x
}
