package tensors

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Encode turns src to little-endian elements of dt in dst, rounding to nearest
// even. NaN stays NaN. A value beyond the range of F16 or BF16 becomes an
// infinity: whoever wants to report that looks at src before or at dst after.
// It fails where dt is not [DType.Float] or dst is not len(src) elements long.
func Encode(dst []byte, src []float32, dt DType) error {
	if err := fits(len(src), len(dst), dt); err != nil {
		return fmt.Errorf("encoding: %w", err)
	}
	switch dt {
	case F32:
		for ; len(src) >= 2 && len(dst) >= 8; src, dst = src[2:], dst[8:] {
			binary.LittleEndian.PutUint64(dst, uint64(math.Float32bits(src[0]))|uint64(math.Float32bits(src[1]))<<32)
		}
		for i, v := range src {
			binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(v))
		}
	case BF16:
		for ; len(src) >= 4 && len(dst) >= 8; src, dst = src[4:], dst[8:] {
			binary.LittleEndian.PutUint64(dst, uint64(toBF16(math.Float32bits(src[0])))|uint64(toBF16(math.Float32bits(src[1])))<<16|
				uint64(toBF16(math.Float32bits(src[2])))<<32|uint64(toBF16(math.Float32bits(src[3])))<<48)
		}
		for i, v := range src {
			binary.LittleEndian.PutUint16(dst[2*i:], toBF16(math.Float32bits(v)))
		}
	case F16:
		// Magnitudes from 2^-14 to below 2^16 are a shift with rounding, here
		// because a call each would double the time; the carry makes 65520 and
		// more infinite.
		dst = dst[:2*len(src)]
		for i, v := range src {
			b := math.Float32bits(v)
			h := uint16(0)
			if a := b & 0x7fffffff; a-0x38800000 < 0x47800000-0x38800000 {
				h = uint16(b>>16)&0x8000 | uint16((a-(127-15)<<23+0xfff+a>>13&1)>>13)
			} else {
				h = toRareF16(b)
			}
			binary.LittleEndian.PutUint16(dst[2*i:], h)
		}
	case F64:
		for i, v := range src {
			binary.LittleEndian.PutUint64(dst[8*i:], math.Float64bits(float64(v)))
		}
	}
	return nil
}

// toBF16 rounds float32 bits to bfloat16. The carry of rounding up runs into
// the exponent, and from the largest finite value into infinity, as it should.
// Small enough to be inlined.
func toBF16(b uint32) uint16 {
	if b&0x7fffffff > 0x7f800000 {
		return bf16NaN(b)
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

//go:noinline
func bf16NaN(b uint32) uint16 {
	if h := uint16(b >> 16); h&0x7f != 0 {
		return h
	}
	return uint16(b>>16) | 0x40 // its payload was in the bits cut off: keep it NaN
}

// toRareF16 rounds float32 bits to binary16 where that is not normal, or has
// magnitude 2^16 or more.
//
//go:noinline
func toRareF16(b uint32) uint16 {
	sign, a := uint16(b>>16)&0x8000, b&0x7fffffff
	switch {
	case a > 0x7f800000: // NaN
		if m := uint16(a>>13) & 0x3ff; m != 0 {
			return sign | 0x7c00 | m
		}
		return sign | 0x7e00
	case a >= 0x47800000: // 2^16 and more
		return sign | 0x7c00
	case a <= 0x33000000: // 2^-25 and less: half of the least subnormal, a tie, goes to 0
		return sign
	}
	shift := 126 - a>>23 // 14 to 24: how far the 24-bit significand is above units of 2^-24
	m := a&0x7fffff | 0x800000
	h, rest, half := m>>shift, m&(1<<shift-1), uint32(1)<<(shift-1)
	if rest > half || rest == half && h&1 == 1 {
		h++
	}
	return sign | uint16(h)
}
