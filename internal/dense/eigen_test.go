package dense

import (
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// spectra are matrices with what eigenvectors are hard to find for: many equal
// eigenvalues, blocks, wide ranges, nothing at all.
func spectra(n int) map[string]Matrix {
	rng := rand.New(rand.NewPCG(uint64(n), 7))
	of := func(value func(i int) float64) Matrix {
		q := random(uint64(n), n, n)
		g := Gram(q)
		_, v, err := Symmetric(g)
		if err != nil {
			panic(err)
		}
		scaled := New(n, n)
		scaled.Copy(v)
		by := make([]float64, n)
		for i := range by {
			by[i] = value(i)
		}
		scaled.ScaleColumns(by)
		a := New(n, n)
		Mul(a, scaled, v.T())
		return a
	}
	list := map[string]Matrix{
		"random":    Gram(random(3, n+5, n)),
		"deficient": Gram(random(4, n/3+1, n)),
		"zero":      New(n, n),
		"equal":     of(func(int) float64 { return 3 }),
		"clusters":  of(func(i int) float64 { return float64(i % 4) }),
		"wide":      of(func(i int) float64 { return math.Pow(10, -20*float64(i)/float64(n)) }),
		"signed":    of(func(i int) float64 { return float64(i) - float64(n)/2 }),
		"tiny":      of(func(int) float64 { return 1e-200 * (1 + rng.Float64()) }),
		"large":     of(func(int) float64 { return 1e200 * (1 + rng.Float64()) }),
	}
	diagonal, second := New(n, n), New(n, n)
	for i := range n {
		diagonal.Set(i, i, float64(i*7%n))
		second.Set(i, i, 2)
		if i > 0 {
			second.Set(i, i-1, -1)
			second.Set(i-1, i, -1)
		}
	}
	list["diagonal"], list["second differences"] = diagonal, second
	wilkinson := New(n, n)
	for i := range n {
		wilkinson.Set(i, i, math.Abs(float64(i)-float64(n-1)/2))
		if i > 0 {
			wilkinson.Set(i, i-1, 1)
			wilkinson.Set(i-1, i, 1)
		}
	}
	list["Wilkinson"] = wilkinson
	return list
}

// The vectors are orthogonal and diagonalise, and the values are gonum's.
func TestSymmetric(t *testing.T) {
	for _, n := range []int{1, 2, 3, 17, 49, 64, 65, 100, 129, 150} {
		for name, a := range spectra(n) {
			given := New(n, n)
			given.Copy(a)
			values, v, err := Symmetric(a)
			if err != nil {
				t.Errorf("%s %d: %v", name, n, err)
				continue
			}
			var e mat.EigenSym
			if !e.Factorize(mat.NewSymDense(n, given.Data), true) {
				t.Fatal("gonum finds no eigenvalues")
			}
			scale := 0.0
			for _, x := range e.Values(nil) {
				scale = max(scale, math.Abs(x))
			}
			tol := 1e-15 * float64(n+20)
			for i, want := range e.Values(nil) {
				if math.Abs(values[i]-want) > 4*tol*scale {
					t.Errorf("%s %d: value %d is %g, want %g", name, n, i, values[i], want)
					break
				}
			}
			av, vv := New(n, n), Gram(v)
			Mul(av, given, v)
			var off, apart float64
			for i := range n {
				for j := range n {
					one := 0.0
					if i == j {
						one = 1
					}
					apart = max(apart, math.Abs(vv.At(i, j)-one))
					off = max(off, math.Abs(av.At(i, j)-values[j]*v.At(i, j)))
				}
			}
			if apart > tol {
				t.Errorf("%s %d: the vectors' products are %g off", name, n, apart)
			}
			if off > 2*tol*scale {
				t.Errorf("%s %d: a v and v times the value are %g apart, of %g", name, n, off, scale)
			}
		}
	}
}

// The bits do not depend on the number of threads.
func TestThreadsKeepBits(t *testing.T) {
	run := func(threads int) (out []float64) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
		a := random(9, 700, 610)
		values, v, err := Symmetric(Gram(a))
		if err != nil {
			t.Fatal(err)
		}
		c := New(700, 610)
		Mul(c, a, v)
		return append(append(values, v.Data...), c.Data...)
	}
	want := run(1)
	for _, threads := range []int{2, 3, 7} {
		for i, x := range run(threads) {
			if math.Float64bits(x) != math.Float64bits(want[i]) {
				t.Fatalf("%d threads: number %d is %g, not %g", threads, i, x, want[i])
			}
		}
	}
}

func TestSymmetricRefuses(t *testing.T) {
	a := New(3, 3)
	a.Set(2, 0, math.NaN())
	if _, _, err := Symmetric(a); err == nil {
		t.Error("no error for NaN")
	}
}
