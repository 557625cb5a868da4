package evolve

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

// The fast way has the bits of the plain one, at every length.
func TestAddFour(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 70 {
		x := newRows(5, n+1)
		for _, row := range x {
			for i := range row {
				row[i] = rng.NormFloat64()
			}
		}
		a := [4]float64{rng.NormFloat64(), 1e-9, -3, 0}
		got := append([]float64(nil), x[4][:n]...)
		addFour(got, x[0], x[1], x[2], x[3], &a)
		for i := range got {
			want := x[4][i]
			for k := range a {
				want = math.FMA(a[k], x[k][i], want)
			}
			if got[i] != want {
				t.Fatalf("n = %d, element %d: %v, want %v", n, i, got[i], want)
			}
		}
	}
}

// So has tile, with every number of rows.
func TestTile(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 3))
	for n := range 35 {
		for k := range 6 {
			const stride = 41
			x, a := make([]float64, 6*stride), make([][4]float64, k)
			for i := range x {
				x[i] = rng.NormFloat64()
			}
			var got [4][]float64
			for r := range got {
				for range n {
					got[r] = append(got[r], rng.NormFloat64())
				}
				for q := range a {
					a[q][r] = rng.NormFloat64()
				}
			}
			var want [4][]float64
			for r := range want {
				for i, v := range got[r] {
					v *= 0.9
					for q := range a {
						v = math.FMA(a[q][r], x[q*stride+i], v)
					}
					want[r] = append(want[r], v)
				}
			}
			tile(got, 0.9, x, stride, a)
			for r := range want {
				if !slices.Equal(got[r], want[r]) {
					t.Fatalf("n = %d, %d rows: %v, want %v", n, k, got[r], want[r])
				}
			}
		}
	}
}

// UᵀU is the matrix again, on one processor and on several, and a matrix that is not
// positive definite is refused.
func TestFactor(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 3, 16, 17, 64, 90, 300} {
		c := make([]float64, n*n)
		for k := range 2 * n {
			x := make([]float64, n)
			for i := range x {
				x[i] = rng.NormFloat64()
			}
			for i := range n {
				addScaled(c[i*n:(i+1)*n], x[i]/float64(k+1), x)
			}
		}
		u := append([]float64(nil), c...)
		if !factor(u, n) {
			t.Fatalf("n = %d: not positive definite", n)
		}
		for i := range n {
			for j := i; j < n; j++ {
				s := 0.0
				for p := range i + 1 {
					s += u[p*n+i] * u[p*n+j]
				}
				if math.Abs(s-c[i*n+j]) > 1e-10*math.Sqrt(c[i*n+i]*c[j*n+j]) {
					t.Fatalf("n = %d: entry %d, %d is %v, want %v", n, i, j, s, c[i*n+j])
				}
			}
		}
		c[n*n-1] = -1
		if factor(c, n) {
			t.Errorf("n = %d: a negative variance is taken", n)
		}
	}
}

// A factored distribution shapes and whitens as its covariance says.
func TestFactoredShape(t *testing.T) {
	const n = 70
	d := newDistribution(newVariant(n, 12, Decoded), make([]float64, n), 0.3, math.Inf(1))
	rng := rand.New(rand.NewPCG(5, 6))
	for range 30 {
		y, z := newRows(d.lambda, n), newRows(d.lambda, n)
		for k := range z {
			for i := range z[k] {
				z[k][i] = rng.NormFloat64()
			}
		}
		d.shapeAll(y, z)
		for k := range y {
			back := make([]float64, n)
			d.whiten(back, y[k])
			for i := range back {
				if math.Abs(back[i]-z[k][i]) > 1e-9 {
					t.Fatalf("whitened %v, want %v", back[i], z[k][i])
				}
			}
		}
		d.update(y, z)
	}
	d.decompose()
	for i := range n {
		for j := i; j < n; j++ {
			s := 0.0
			for p := range i + 1 {
				s += d.basis[p*n+i] * d.basis[p*n+j]
			}
			if math.Abs(s-d.cov[i*n+j]) > 1e-10 {
				t.Fatalf("entry %d, %d of C is %v, of the factor %v", i, j, d.cov[i*n+j], s)
			}
		}
	}
}

// How many processors there are changes no bit.
func TestProcessors(t *testing.T) {
	const n = 2*parallelFrom + 3
	states := map[int][]byte{}
	for _, processors := range []int{1, 3} {
		before := runtime.GOMAXPROCS(processors)
		box := make(Box, n)
		for i := range box {
			box[i] = Gene{Name: fmt.Sprint("x", i), Lo: -5, Hi: 5, Start: 3}
		}
		c, err := NewCMA(box, CMAOptions{Seed: 2, Sigma: 0.3, Covariance: Decoded})
		if err != nil {
			t.Fatal(err)
		}
		for range 30 {
			pop, err := c.Ask(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			told := make([]Scored[[]float64], len(pop))
			for i, p := range pop {
				told[i].Candidate, told[i].Value = p, -dot(p.Genome, p.Genome)
			}
			if err := c.Tell(told); err != nil {
				t.Fatal(err)
			}
		}
		if states[processors], err = c.MarshalBinary(); err != nil {
			t.Fatal(err)
		}
		runtime.GOMAXPROCS(before)
	}
	if !bytes.Equal(states[1], states[3]) {
		t.Error("three processors have other bits than one")
	}
}
