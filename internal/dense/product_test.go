package dense

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/cpu"
)

func random(seed uint64, rows, cols int) Matrix {
	rng := rand.New(rand.NewPCG(seed, 1))
	m := New(rows, cols)
	for i := range m.Data {
		m.Data[i] = rng.NormFloat64()
	}
	return m
}

// Products of all sizes and strides are what their definition says.
func TestProduct(t *testing.T) {
	for _, s := range [][3]int{{1, 1, 1}, {2, 3, 4}, {8, 24, 7}, {9, 25, 300}, {130, 31, 513}, {97, 1600, 5}, {5, 3, 0}} {
		rows, cols, k := s[0], s[1], s[2]
		for _, turned := range []bool{false, true} {
			t.Run(fmt.Sprint(s, turned), func(t *testing.T) {
				a, b := random(1, rows, k), random(2, k, cols)
				if turned {
					a, b = random(1, k, rows).T(), random(2, cols, k).T()
				}
				all := random(3, rows+2, cols+3)
				c := all.Part(1, rows+1, 2, cols+2)
				before := New(rows+2, cols+3)
				before.Copy(all)
				AddMul(c, a, b, -0.5)
				for i := range all.Rows {
					for j := range all.Cols {
						want := before.At(i, j)
						if inside := i > 0 && i <= rows && j >= 2 && j < cols+2; inside {
							for p := range k {
								want -= 0.5 * a.At(i-1, p) * b.At(p, j-2)
							}
						}
						if math.Abs(all.At(i, j)-want) > 1e-12 {
							t.Fatalf("(%d, %d): %g, want %g", i, j, all.At(i, j), want)
						}
					}
				}
			})
		}
	}
	a := random(5, 77, 60)
	g, c := Gram(a), New(60, 60)
	Mul(c, a.T(), a)
	for i, x := range g.Data {
		if x != c.Data[i] {
			t.Fatalf("entry %d of a Gram matrix is %g, not %g", i, x, c.Data[i])
		}
	}
}

// Every kernel gives the bits of the one in Go.
func TestKernels(t *testing.T) {
	list := map[string]tile{"best": kernel()}
	if there := cpu.X86.HasAVX512F; there {
		cpu.X86.HasAVX512F = false
		list["without AVX-512"] = kernel()
		cpu.X86.HasAVX512F = there
	}
	for name, k := range list {
		for _, n := range []int{1, 2, 255, 256} {
			a, b := random(1, n, k.rows), random(2, n, k.cols)
			got, want := make([]float64, k.rows*k.cols), make([]float64, k.rows*k.cols)
			k.do(n, a.Data, b.Data, got)
			multiply(k.rows, k.cols)(n, a.Data, b.Data, want)
			for i, x := range got {
				if math.Float64bits(x) != math.Float64bits(want[i]) {
					t.Fatalf("%s, depth %d: %d is %g, not %g", name, n, i, x, want[i])
				}
			}
		}
	}
}

// A factor that is laid out once gives the same bits, over several blocks and at their edges.
func TestPacked(t *testing.T) {
	for _, n := range [][3]int{{1, 1, 1}, {100, 256, 1536}, {37, 300, 1600}, {5, 513, 24}, {0, 4, 4}} {
		a, b := random(1, n[0], n[1]), random(2, n[1], n[2])
		want, got := random(3, n[0], n[2]), random(3, n[0], n[2])
		AddMul(want, a, b, 0.3)
		AddMulPacked(got, a, Pack(b), 0.3)
		for i, x := range got.Data {
			if math.Float64bits(x) != math.Float64bits(want.Data[i]) {
				t.Fatalf("%v: %d is %g, not %g", n, i, x, want.Data[i])
			}
		}
	}
}

// A row of a product has the same bits with whatever rows it is computed.
func TestRowsKeepBits(t *testing.T) {
	a, b := random(1, 210, 300), random(2, 300, 50)
	want := New(210, 50)
	Mul(want, a, b)
	for _, cut := range []int{1, 2, 100, 209} {
		got := New(210, 50)
		Mul(got.Part(0, cut, 0, 50), a.Part(0, cut, 0, 300), b)
		Mul(got.Part(cut, 210, 0, 50), a.Part(cut, 210, 0, 300), b)
		for i, x := range got.Data {
			if math.Float64bits(x) != math.Float64bits(want.Data[i]) {
				t.Fatalf("cut at %d: %d is %g, not %g", cut, i, x, want.Data[i])
			}
		}
	}
}

func TestPair(t *testing.T) {
	for n := range 70 {
		a, x, z := random(1, 1, n).Data, random(2, 1, n).Data, random(3, 1, n).Data
		want, sum := make([]float64, n), 0.0
		for i := range want {
			want[i] = z[i] + 2*a[i]
			sum += a[i] * x[i]
		}
		if got := pair(a, x, z, 2); math.Abs(got-sum) > 1e-12 {
			t.Errorf("of %d: %g, want %g", n, got, sum)
		}
		for i, w := range want {
			if math.Abs(z[i]-w) > 1e-14 {
				t.Errorf("%d of %d: %g, want %g", i, n, z[i], w)
			}
		}
	}
}
