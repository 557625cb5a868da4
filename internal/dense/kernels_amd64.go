package dense

import (
	"math"

	"golang.org/x/sys/cpu"
)

// multiplyAVX2 sets c, 4 x 12, to the product of depth k > 0 of strips a and b.
//
//go:noescape
func multiplyAVX2(k int, a, b, c *float64)

// multiplyAVX512 is the same for 8 x 24.
//
//go:noescape
func multiplyAVX512(k int, a, b, c *float64)

// pairAVX2 adds y times a to z and returns the product of a and x, all of n numbers, a
// positive multiple of 16.
//
//go:noescape
func pairAVX2(n int, a, x, z *float64, y float64) float64

// kernel is the best one here. All give the same bits.
func kernel() tile {
	switch {
	case cpu.X86.HasAVX512F && cpu.X86.HasFMA:
		return tile{8, 24, func(k int, a, b, c []float64) {
			_, _, _ = a[8*k-1], b[24*k-1], c[8*24-1]
			multiplyAVX512(k, &a[0], &b[0], &c[0])
		}}
	case cpu.X86.HasAVX2 && cpu.X86.HasFMA:
		return tile{4, 12, func(k int, a, b, c []float64) {
			_, _, _ = a[4*k-1], b[12*k-1], c[4*12-1]
			multiplyAVX2(k, &a[0], &b[0], &c[0])
		}}
	}
	return tile{4, 12, multiply(4, 12)}
}

// pairMany is pair for as many numbers from the first on as the processor takes at
// once; it returns how many, and their product.
func pairMany(a, x, z []float64, y float64) (int, float64) {
	n := len(a) &^ 15
	if n == 0 || !cpu.X86.HasAVX2 || !cpu.X86.HasFMA {
		return 0, 0
	}
	_, _ = x[n-1], z[n-1]
	return n, pairAVX2(n, &a[0], &x[0], &z[0], y)
}

func fma(x, y, z float64) float64 { return math.FMA(x, y, z) }
