package evolve

import (
	"math"
	"runtime"
	"sync"
)

// tile makes four rows of a product: y[r] = scale·y[r] + Σₖ a[k][r]·x[k·stride:], over the
// length of the y, one product after the other, each rounded once with its sum. It is where
// the time of a full covariance goes.
func tile(y [4][]float64, scale float64, x []float64, stride int, a [][4]float64) {
	done := tileMany(y, scale, x, stride, a)
	for r, row := range y {
		for i := done; i < len(row); i++ {
			s := scale * row[i]
			for k := range a {
				s = math.FMA(a[k][r], x[k*stride+i], s)
			}
			row[i] = s
		}
	}
}

// whole is where rows of n may begin to be worked on eight elements at a time if they have
// to be from element i on: a little before it.
func whole(i, n int) int {
	if start := n - (n-i+7)&^7; start >= 0 {
		return start
	}
	return i
}

// addFour adds a[0]·x0 + … + a[3]·x3 to y, over the length of y, one product after
// the other, each rounded once with its sum.
func addFour(y, x0, x1, x2, x3 []float64, a *[4]float64) {
	n := addFourMany(y, x0, x1, x2, x3, a)
	y = y[n:]
	x0, x1, x2, x3 = x0[n:][:len(y)], x1[n:][:len(y)], x2[n:][:len(y)], x3[n:][:len(y)]
	for i := range y {
		y[i] = math.FMA(a[3], x3[i], math.FMA(a[2], x2[i], math.FMA(a[1], x1[i], math.FMA(a[0], x0[i], y[i]))))
	}
}

// parallelFrom is how many genes make it worth to share work among processors.
const parallelFrom = 256

// share runs f on 0 … n-1, on several processors where n genes are worth it. Each item
// is worked on by itself, so the result does not depend on how many there are.
func share(genes, n int, f func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	if genes < parallelFrom || workers < 2 {
		for i := range n {
			f(i)
		}
		return
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				f(i)
			}
		})
	}
	wg.Wait()
}
