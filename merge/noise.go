package merge

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"strconv"
)

// Noise is a counter hash: the same 32 bits for (seed, source, tensor, flat
// index) on every backend, whatever the order of work. Format version 1 of
// recipes fixes it.

// noiseKey returns the two words that key a source's noise in one tensor.
func noiseKey(seed uint64, source int, tensor string) [2]uint32 {
	sum := sha256.Sum256([]byte("mergevo noise 1|" + strconv.FormatUint(seed, 10) + "|" + strconv.Itoa(source) + "|" + tensor))
	return [2]uint32{binary.LittleEndian.Uint32(sum[0:]), binary.LittleEndian.Uint32(sum[4:])}
}

// Constants of the 32-bit finaliser with low bias found by C. Wellons
// (nullprogram.com, "Prospecting for hash functions").
const (
	mix1 = 0x7feb352d
	mix2 = 0x846ca68b
)

func mix32(x uint32) uint32 {
	x ^= x >> 16
	x *= mix1
	x ^= x >> 15
	x *= mix2
	return x ^ x>>16
}

func noiseAt(key [2]uint32, index uint32) uint32 {
	return mix32(mix32(index^key[0]) + key[1])
}

// noise32 sets dst to the noise from an index on.
func noise32(dst []uint32, key [2]uint32, index uint32) {
	n := noiseMany(dst, key, index)
	for i := n; i < len(dst); i++ {
		dst[i] = noiseAt(key, index+uint32(i))
	}
}

// noiseCount returns floor(p 2^32), the number of hash values that keep an entry.
func noiseCount(p float64) uint64 {
	return uint64(math.Floor(math.Max(0, math.Min(1, p)) * (1 << 32)))
}

// noiseLimit returns the largest hash that keeps an entry at density p, so that
// p = 1, whose count does not fit 32 bits, keeps all.
func noiseLimit(p float64) uint32 {
	if n := noiseCount(p); n > 0 {
		return uint32(n - 1)
	}
	return 0
}

// Noise sets dst to the noise of a source in a tensor from an index on: 32 even bits a
// number, the same for the same arguments everywhere.
func Noise(dst []uint32, seed uint64, source int, tensor string, index uint32) {
	noise32(dst, noiseKey(seed, source, tensor), index)
}
