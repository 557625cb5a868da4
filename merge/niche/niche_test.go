package niche

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// models are count normal seeds of n weights, as far from parallel as such are.
func models(rng *rand.Rand, n, count int) [][]float32 {
	out := make([][]float32, count)
	for k := range out {
		out[k] = make([]float32, n)
		addNoise(out[k], rng, 1)
	}
	return out
}

func gramOf(seeds [][]float32, block int64) *Gram {
	g, err := NewGram(int64(len(seeds[0])), len(seeds), block, func(k int, lo int64, dst []float32) error {
		copy(dst, seeds[k][lo:])
		return nil
	})
	if err != nil {
		panic(err)
	}
	return g
}

var crossings = map[string]Crossing{
	"authors":     {Split: true},
	"apart":       {Split: true, Apart: true},
	"straight":    {Split: true, Straight: true},
	"no split":    {},
	"chromosomes": {Split: true, Chromosomes: []int64{300, 301, 700, 1000}},
}

// A descendant as segments is the descendant whose ancestors were all made: a thousand
// crossovers, dense ones in float64, of two seeds and of five.
func TestSegmentsAreDense(t *testing.T) {
	for name, c := range crossings {
		for _, count := range []int{2, 5} {
			t.Run(fmt.Sprint(name, count), func(t *testing.T) {
				const n = 1000
				if c.Chromosomes == nil {
					c.Chromosomes = []int64{n}
				}
				rng := rand.New(rand.NewPCG(1, uint64(count)))
				seeds := models(rng, n, count)
				m := Mixes{Crossing: c, Gram: gramOf(seeds, 64)}
				archive := m.Seeds()
				var dense [][]float64
				for _, s := range seeds {
					dense = append(dense, Wide(s))
				}
				for len(archive) < 12 {
					archive, dense = append(archive, archive[0]), append(dense, dense[0])
				}
				got, largest := make([]float32, n), 0
				for i := range 1000 {
					a, b, slot := rng.IntN(len(archive)), rng.IntN(len(archive)), rng.IntN(len(archive))
					cuts := c.Draw(rng)
					child, want := m.Cross(archive[a], archive[b], cuts, m.Gram), plain(c, dense[a], dense[b], cuts)
					if err := child.Validate(); err != nil || child.Len() != n {
						t.Fatalf("crossover %d: %d weights, %v", i, child.Len(), err)
					}
					child.Materialize(got, seeds)
					var diff, norm float64
					for j, v := range want {
						diff += (float64(got[j]) - v) * (float64(got[j]) - v)
						norm += v * v
					}
					if !(math.Sqrt(diff/norm) < 1e-6) {
						t.Fatalf("crossover %d: relative error %v", i, math.Sqrt(diff/norm))
					}
					data := m.Marshal(child)
					largest = max(largest, len(data))
					back, err := m.Unmarshal(data)
					if err != nil || !bytes.Equal(m.Marshal(back), data) {
						t.Fatalf("crossover %d: not the same when read back: %v", i, err)
					}
					archive[slot], dense[slot] = child, want
				}
				if name == "authors" && count == 2 && largest > 10<<10 {
					t.Errorf("a model takes %d bytes", largest)
				}
			})
		}
	}
}

// plain is the paper's equation 2, weight by weight.
func plain(c Crossing, a, b []float64, cuts []Cut) []float64 {
	product := func(x, y []float64) (s float64) {
		for i := range x {
			s += x[i] * y[i]
		}
		return s
	}
	out := make([]float64, len(a))
	angle := func(lo, hi int64) float64 {
		x, y := a[lo:hi], b[lo:hi]
		return math.Acos(min(1, max(-1, product(x, y)/math.Sqrt(product(x, x)*product(y, y)))))
	}
	from := int64(0)
	for k, end := range c.Chromosomes {
		at := cuts[k].At
		before, behind := angle(from, end), angle(from, end)
		if c.Apart {
			before, behind = angle(from, at), angle(at, end)
		}
		for i := from; i < end; i++ {
			omega, v := before, cuts[k].Ratio
			if i >= at {
				omega, v = behind, 1-v
			}
			if s := math.Sin(omega); s > LeastSine && !c.Straight {
				out[i] = math.Sin((1-v)*omega)/s*a[i] + math.Sin(v*omega)/s*b[i]
			} else {
				out[i] = (1-v)*a[i] + v*b[i]
			}
		}
		from = end
	}
	return out
}

func TestCrossDense(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	x := models(rng, 8, 2)
	zero, minus := make([]float32, 8), make([]float32, 8)
	for i, v := range x[0] {
		minus[i] = -v
	}
	for name, c := range map[string]struct {
		a, b []float32
		cut  Cut
	}{
		"generic":          {x[0], x[1], Cut{3, 0.3}},
		"split at 0":       {x[0], x[1], Cut{0, 0.3}},
		"split at the end": {x[0], x[1], Cut{7, 0.3}},
		"none":             {x[0], x[1], Cut{8, 0.3}},
		"parallel":         {x[0], x[0], Cut{3, 0.3}},
		"opposite":         {x[0], minus, Cut{3, 0.3}},
		"zero":             {x[0], zero, Cut{3, 0.3}},
		"both zero":        {zero, zero, Cut{3, 0.3}},
	} {
		for _, apart := range []bool{false, true} {
			t.Run(fmt.Sprint(name, apart), func(t *testing.T) {
				how := Crossing{Split: true, Apart: apart, Chromosomes: []int64{8}}
				got := make([]float32, 8)
				how.CrossDense(got, c.a, c.b, []Cut{c.cut})
				for i, want := range plain(how, Wide(c.a), Wide(c.b), []Cut{c.cut}) {
					if math.Abs(float64(got[i])-want) > 1e-6 || math.IsNaN(want) {
						t.Errorf("weight %d: %v, want %v", i, got[i], want)
					}
				}
			})
		}
	}
}

func TestGram(t *testing.T) {
	const n = 103
	seeds := models(rand.New(rand.NewPCG(3, 3)), n, 3)
	for _, block := range []int64{1, 10, 103, 1000} {
		g := gramOf(seeds, block)
		for _, at := range [][2]int64{{0, n}, {0, 1}, {9, 11}, {10, 20}, {7, 95}, {102, 103}, {5, 5}} {
			for k := range seeds {
				for l := range seeds {
					got := g.Product(One(n, k, 3).Shares[0], One(n, l, 3).Shares[0], at[0], at[1])
					want := dot(seeds[k][at[0]:at[1]], seeds[l][at[0]:at[1]])
					if math.Abs(got-want) > 1e-10 {
						t.Errorf("block %d, %v: <%d, %d> = %v, want %v", block, at, k, l, got, want)
					}
				}
			}
		}
	}
}

func TestDense(t *testing.T) {
	c := Crossing{Split: true, Chromosomes: []int64{50}}
	d := Scratch(c, 4, 50, 2, 0.01)
	if again := Scratch(c, 4, 50, 2, 0.01); !slices.Equal(d.First[1], again.First[1]) || slices.Equal(d.First[0], d.First[1]) {
		t.Error("seeds are not the seed's")
	}
	child := d.Child(rand.New(rand.NewPCG(1, 1)), d.First[0], d.First[1])
	back, err := d.Unmarshal(d.Marshal(child))
	if err != nil || !slices.Equal(back, child) {
		t.Errorf("read back: %v", err)
	}
	child[7] = float32(math.NaN())
	for _, bad := range [][]byte{nil, make([]byte, 199), d.Marshal(child)} {
		if _, err := d.Unmarshal(bad); err == nil {
			t.Errorf("%d bytes were accepted", len(bad))
		}
	}
}

func FuzzUnmarshalSegments(f *testing.F) {
	s := Segments{Ends: []int64{3, 9}, Shares: [][]float64{{1, 0}, {0.5, 0.25}}}
	good, err := s.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:20])
	f.Add([]byte{0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		var s Segments
		if s.UnmarshalBinary(data) != nil {
			return
		}
		again, err := s.MarshalBinary()
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("read and written: %x, %v", again, err)
		}
	})
}
