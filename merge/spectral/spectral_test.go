package spectral

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// falling is a matrix with singular values 2^0, 2^-1/4, 2^-2/4, ... , all of its own
// making.
func falling(rows, cols int) (m *mat.Dense, s []float64) {
	k := min(rows, cols)
	u, _ := orthonormal(start(rows, k))
	v, _ := orthonormal(start(cols, k))
	for i := range k {
		s = append(s, math.Exp2(-float64(i)/4))
	}
	for j := range k {
		for i := range rows {
			u.Set(i, j, u.At(i, j)*s[j])
		}
	}
	return product(u, v.T()), s
}

func distance(a, b mat.Matrix) float64 {
	var d mat.Dense
	d.Sub(a, b)
	return mat.Norm(&d, 2)
}

func orthogonal(m *mat.Dense) float64 {
	_, k := m.Dims()
	g := product(m.T(), m)
	for i := range k {
		g.Set(i, i, g.At(i, i)-1)
	}
	return mat.Norm(g, 2)
}

func TestLargest(t *testing.T) {
	for _, c := range []struct{ rows, cols, k int }{{40, 30, 7}, {30, 40, 40}, {200, 150, 12}, {150, 420, 20}, {420, 150, 60}, {7, 1, 3}} {
		m, s := falling(c.rows, c.cols)
		d, err := Largest(m, c.k)
		if err != nil {
			t.Fatal(err)
		}
		k := min(c.k, len(s))
		if d.Rank() != k {
			t.Fatalf("%v: %d singular values", c, d.Rank())
		}
		tail := 0.0
		for _, x := range s[k:] {
			tail += x * x
		}
		for i := range k {
			if math.Abs(d.S[i]-s[i]) > 1e-5*s[i] {
				t.Errorf("%v: singular value %d is %g, not %g", c, i, d.S[i], s[i])
			}
		}
		left, right := d.Factors(k)
		if got := distance(m, product(left, right)); math.Abs(got-math.Sqrt(tail)) > 1e-4*s[k-1] {
			t.Errorf("%v: the product lies %g away, the nearest %g", c, got, math.Sqrt(tail))
		}
		if o := max(orthogonal(d.U), orthogonal(d.V)); o > 1e-9 {
			t.Errorf("%v: not orthonormal by %g", c, o)
		}
		if want := 1 - tail/squares(m); math.Abs(d.Kept(k)-want) > 1e-6 {
			t.Errorf("%v: keeps %g of the energy, not %g", c, d.Kept(k), want)
		}
	}
}

// Of noise, whose singular values lie close together, it is the largest that are found.
func TestLargestOfNoise(t *testing.T) {
	for _, c := range []struct{ rows, cols int }{{160, 90}, {90, 160}} {
		m := start(c.rows, c.cols)
		want, err := whole(m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Largest(m, 8)
		if err != nil {
			t.Fatal(err)
		}
		l, r := got.Factors(8)
		wl, wr := want.Factors(8)
		if d := distance(product(wl, wr), product(l, r)); d > 1e-10*want.S[0] {
			t.Errorf("%v: %g away from the nearest", c, d)
		}
	}
}

// What two factors make has the singular values of their product, whichever is longer.
func TestProduct(t *testing.T) {
	for _, c := range []struct{ rows, r, cols int }{{50, 4, 30}, {5, 9, 40}, {6, 9, 7}, {1, 3, 1}} {
		left, right := start(c.rows, c.r), start(c.r, c.cols)
		right.Scale(3, right)
		d, err := Product(left, right)
		if err != nil {
			t.Fatal(err)
		}
		m := product(left, right)
		want, err := Thin(m)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range want.S {
			got := 0.0
			if i < len(d.S) {
				got = d.S[i]
			}
			if math.Abs(got-s) > 1e-12*want.S[0] {
				t.Errorf("%v: singular value %d is %g, not %g", c, i, got, s)
			}
		}
		l, r := d.Factors(d.Rank())
		if got := distance(m, product(l, r)); got > 1e-12*want.S[0] {
			t.Errorf("%v: %g away from the product", c, got)
		}
	}
}

func TestHolding(t *testing.T) {
	m, s := falling(300, 200)
	total := squares(m)
	for _, part := range []float64{0.45, 0.9, 0.999, 1} {
		d, err := Holding(m, part, 120)
		if err != nil {
			t.Fatal(err)
		}
		sum, want := 0.0, 0
		for want < 120 && sum < part*total*(1-1e-12) {
			sum += s[want] * s[want]
			want++
		}
		if part < 1 && d.Rank() != want || part == 1 && d.Rank() > 120 {
			t.Errorf("%g of the energy in %d, not %d", part, d.Rank(), want)
		}
	}
}

// Rounding a matrix moves it by about what Noise says, and no singular value of what a
// thin product adds is lost in it.
func TestNoise(t *testing.T) {
	m := start(180, 120)
	added, s := falling(180, 120)
	thin, err := Largest(added, 5)
	if err != nil {
		t.Fatal(err)
	}
	l, r := thin.Factors(5)
	sum, rounded := mat.DenseCopyOf(m), mat.NewDense(180, 120, nil)
	sum.Add(sum, product(l, r))
	for i, x := range sum.RawMatrix().Data {
		rounded.RawMatrix().Data[i] = float64(float32(x)) - m.RawMatrix().Data[i]
	}
	d, err := Largest(rounded, 20)
	if err != nil {
		t.Fatal(err)
	}
	floor := Noise(squares(sum), 180, 120, 0x1p-24)
	if got := d.Above(floor, 20); got != 5 {
		t.Errorf("%d singular values above %g: %v", got, floor, d.S)
	}
	if d.S[5] < floor/20 {
		t.Errorf("the noise is %g, told %g", d.S[5], floor)
	}
	if !slices.IsSortedFunc(d.S, func(a, b float64) int { return int(math.Copysign(1, b-a)) }) || math.Abs(d.S[4]-s[4]) > 1e-5 {
		t.Errorf("%v", d.S)
	}
}

func TestSame(t *testing.T) {
	m, _ := falling(210, 190)
	a, err := Largest(m, 9)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Largest(m, 9)
	if err != nil {
		t.Fatal(err)
	}
	if !mat.Equal(a.U, b.U) || !mat.Equal(a.V, b.V) || !slices.Equal(a.S, b.S) {
		t.Error("twice the same gives two results")
	}
}

func TestZeros(t *testing.T) {
	d, err := Largest(mat.NewDense(100, 90, nil), 4)
	if err != nil {
		t.Fatal(err)
	}
	if d.Kept(0) != 1 || d.Above(0, 4) != 0 {
		t.Errorf("%v", d.S)
	}
}
