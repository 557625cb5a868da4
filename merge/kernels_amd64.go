package merge

import "golang.org/x/sys/cpu"

// subtractBrainsAVX2 is subtractBrains for n elements, a positive multiple of 16.
//
//go:noescape
func subtractBrainsAVX2(dst *float32, x, b *byte, n int) (largest uint32)

// subtractMany is subtractBrains for as many elements from the first on as the
// processor takes at once; it returns how many.
func subtractMany(dst []float32, x, b []byte) (n int, largest uint32) {
	n = len(dst) &^ 15
	if n == 0 || !cpu.X86.HasAVX2 {
		return 0, 0
	}
	_, _ = x[2*n-1], b[2*n-1]
	return n, subtractBrainsAVX2(&dst[0], &x[0], &b[0], n)
}

// scanAVX2 is scan for n magnitudes, a positive multiple of 64.
//
//go:noescape
func scanAVX2(mag *float32, n int, low, last uint32, in *uint64) (below int)

// scanMany is scan for as many magnitudes from the first on as the processor takes at
// once; it returns how many.
func scanMany(mag []float32, low, last uint32, in []uint64) (n, below int) {
	n = len(mag) &^ 63
	if n == 0 || !cpu.X86.HasAVX2 {
		return 0, 0
	}
	_ = in[n/64-1]
	return n, scanAVX2(&mag[0], n, low, last, &in[0])
}

// noiseAVX2 is noise32 for n words, a positive multiple of 16.
//
//go:noescape
func noiseAVX2(dst *uint32, n int, key0, key1, index uint32)

// noiseMany is noise32 for as many words from the first on as the processor takes at
// once; it returns how many.
func noiseMany(dst []uint32, key [2]uint32, index uint32) (n int) {
	n = len(dst) &^ 15
	if n == 0 || !cpu.X86.HasAVX2 {
		return 0
	}
	noiseAVX2(&dst[0], n, key[0], key[1], index)
	return n
}
