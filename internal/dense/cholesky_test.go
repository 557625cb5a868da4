package dense_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/mergevo/mergevo/internal/dense"
)

// Solutions are those of gonum, over several panels and at their edges.
func TestCholeskyLikeGonum(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 95, 96, 97, 300} {
		x, b := dense.New(n+5, n), dense.New(n, 7)
		for _, m := range []dense.Matrix{x, b} {
			for i := range m.Data {
				m.Data[i] = rng.NormFloat64()
			}
		}
		a := dense.Gram(x)
		var want mat.Dense
		var chol mat.Cholesky
		if !chol.Factorize(mat.NewSymDense(n, append([]float64{}, a.Data...))) {
			t.Fatal("gonum finds it singular")
		}
		if err := chol.SolveTo(&want, mat.NewDense(n, 7, append([]float64{}, b.Data...))); err != nil {
			t.Fatal(err)
		}
		for i := range n { // what is above the diagonal is not read
			for j := i + 1; j < n; j++ {
				a.Set(i, j, math.NaN())
			}
		}
		if !dense.Cholesky(a) {
			t.Fatalf("%d: not positive definite", n)
		}
		dense.SolveCholesky(a, b)
		scale := mat.Norm(&want, math.Inf(1))
		for i := range n {
			for j := range 7 {
				if d := math.Abs(b.At(i, j) - want.At(i, j)); !(d < 1e-9*scale) {
					t.Fatalf("%d: entry (%d, %d) is %g, want %g", n, i, j, b.At(i, j), want.At(i, j))
				}
			}
		}
	}
}

// What has no inverse, or hardly one, is refused, however its rows are scaled.
func TestCholeskyOfSingular(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const n = 200
	x := dense.New(n-1, n)
	for i := range x.Data {
		x.Data[i] = rng.NormFloat64()
	}
	if a := dense.Gram(x); dense.Cholesky(a) {
		t.Error("a matrix without inverse has a Cholesky decomposition")
	}
	scales := make([]float64, n)
	for i := range scales {
		scales[i] = math.Pow(10, float64(-i)/10) // 1e-40 in the diagonal is no fault
	}
	x = dense.New(2*n, n)
	for i := range x.Data {
		x.Data[i] = rng.NormFloat64()
	}
	x.ScaleColumns(scales)
	if a := dense.Gram(x); !dense.Cholesky(a) {
		t.Error("a matrix of small and large rows has none")
	}
	if a := dense.Of(2, 2, []float64{1, math.NaN(), math.NaN(), 1}); dense.Cholesky(a) {
		t.Error("NaN has one")
	}
}
