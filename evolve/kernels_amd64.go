package evolve

import "golang.org/x/sys/cpu"

// addFourAVX2 is addFour for n elements, a positive multiple of 8.
//
//go:noescape
func addFourAVX2(y, x0, x1, x2, x3 *float64, a *[4]float64, n int)

// tileAVX2 is tile for n elements, a positive multiple of 8, and k rows, one at least; the
// stride is in elements.
//
//go:noescape
func tileAVX2(y *[4]*float64, scale float64, x *float64, stride int, a *[4]float64, k, n int)

// tileMany is tile for as many elements from the first on as the processor takes at once;
// it returns how many.
func tileMany(y [4][]float64, scale float64, x []float64, stride int, a [][4]float64) int {
	n := len(y[0]) &^ 7
	if n == 0 || len(a) == 0 || !cpu.X86.HasAVX2 || !cpu.X86.HasFMA {
		return 0
	}
	_, _, _, _ = y[1][n-1], y[2][n-1], y[3][n-1], x[(len(a)-1)*stride+n-1]
	tileAVX2(&[4]*float64{&y[0][0], &y[1][0], &y[2][0], &y[3][0]}, scale, &x[0], stride, &a[0], len(a), n)
	return n
}

// addFourMany is addFour for as many elements from the first on as the processor takes
// at once; it returns how many.
func addFourMany(y, x0, x1, x2, x3 []float64, a *[4]float64) int {
	n := len(y) &^ 7
	if n == 0 || !cpu.X86.HasAVX2 || !cpu.X86.HasFMA {
		return 0
	}
	_, _, _, _ = x0[n-1], x1[n-1], x2[n-1], x3[n-1]
	addFourAVX2(&y[0], &x0[0], &x1[0], &x2[0], &x3[0], a, n)
	return n
}
