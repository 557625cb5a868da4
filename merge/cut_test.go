package merge

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// blocks visits values in blocks of a given length.
func blocks(v []float32, length int) func(func(int, []float32)) error {
	return func(visit func(int, []float32)) error {
		for off := 0; off < len(v); off += length {
			visit(off, v[off:min(off+length, len(v))])
		}
		return nil
	}
}

// A cut keeps exactly what a stable sort puts first, whatever the ties.
func TestCutsEqualSort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 300).Draw(t, "n")
		values := make([]float32, n)
		kinds := rapid.IntRange(1, 6).Draw(t, "distinct")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		for i := range values {
			switch v := rng.IntN(kinds + 1); v {
			case 0:
				values[i] = float32(math.Abs(rng.NormFloat64()))
			default:
				values[i] = float32(v-1) / 8 // many ties, zeros among them
			}
		}
		count := rapid.IntRange(1, n-1).Draw(t, "count")
		length := rapid.IntRange(1, n).Draw(t, "block")
		ranks := []rank{{true, count}, {false, count}, {true, 1 + count/2}}
		cuts, err := selectCuts(n, ranks, blocks(values, length))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range ranks {
			order := make([]int, n)
			for i := range order {
				order[i] = i
			}
			slices.SortStableFunc(order, func(a, b int) int {
				switch x, y := values[a], values[b]; {
				case x == y:
					return 0
				case (x < y) != r.top:
					return -1
				}
				return 1
			})
			want := map[int]bool{}
			for _, i := range order[:r.count] {
				want[i] = true
			}
			for i, v := range values {
				got := cuts[r].Below(v, uint32(i))
				if r.top {
					got = cuts[r].Top(v, uint32(i))
				}
				if got != want[i] {
					t.Fatalf("%+v: element %d (%g) kept %v, want %v", r, i, v, got, want[i])
				}
			}
		}
	})
}

func TestManyRanksAtOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	values := make([]float32, 5000)
	for i := range values {
		values[i] = float32(math.Abs(rng.NormFloat64()))
	}
	ranks := append([]rank{{true, 17}}, gridRanks(len(values), rank{true, 17})...)
	cuts, err := selectCuts(len(values), ranks, blocks(values, 700))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range ranks {
		kept := 0
		for i, v := range values {
			if cuts[r].Top(v, uint32(i)) {
				kept++
			}
		}
		if kept != r.count {
			t.Fatalf("asked for %d, kept %d", r.count, kept)
		}
	}
	if len(ranks) < 1000 {
		t.Fatalf("the grid has %d ranks", len(ranks))
	}
}

// Format version 1 fixes the noise: these values must never change.
func TestNoiseIsFixed(t *testing.T) {
	key := noiseKey(7, 2, "model.layers.0.mlp.up_proj.weight")
	got := []uint32{noiseAt(key, 0), noiseAt(key, 1), noiseAt(key, 1<<31)}
	want := []uint32{0xe42eb17b, 0x83eaee14, 0x4470560b} // computed in Python too
	if !slices.Equal(got, want) {
		t.Errorf("noise is %#x, want %#x", got, want)
	}
}

// Densities hold, and sources, tensors and neighbours are independent.
func TestNoiseIsNoise(t *testing.T) {
	const n = 1 << 16
	a, b := noiseKey(1, 0, "x"), noiseKey(1, 1, "x")
	for _, p := range []float64{1.0 / 1024, 0.1, 0.5, 0.999} {
		limit := noiseLimit(p)
		kept, both, pairs := 0, 0, 0
		for i := range uint32(n) {
			x := noiseAt(a, i) <= limit
			if x {
				kept++
				if noiseAt(b, i) <= limit {
					both++
				}
				if noiseAt(a, i+1) <= limit {
					pairs++
				}
			}
		}
		for _, c := range []struct {
			what string
			got  int
			p    float64
		}{{"kept", kept, p}, {"kept in two sources", both, p * p}, {"kept with its neighbour", pairs, p * p}} {
			sigma := math.Sqrt(n * c.p * (1 - c.p))
			if d := math.Abs(float64(c.got) - n*c.p); d > 4.5*sigma+1 {
				t.Errorf("p = %g: %s %d, want %.0f ± %.0f", p, c.what, c.got, n*c.p, sigma)
			}
		}
	}
	if noiseLimit(1) != math.MaxUint32 || noiseCount(0) != 0 {
		t.Error("density 1 keeps all, density 0 none")
	}
}
