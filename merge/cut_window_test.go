package merge

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// magnitudesLike are the kinds of task vectors that there are.
var magnitudesLike = map[string]func(rng *rand.Rand, i int) float32{
	"normal": func(rng *rand.Rand, _ int) float32 { return float32(math.Abs(rng.NormFloat64())) },
	"mostly zero": func(rng *rand.Rand, _ int) float32 {
		if rng.IntN(4) > 0 {
			return 0
		}
		return float32(math.Abs(rng.NormFloat64()))
	},
	"all zero":   func(*rand.Rand, int) float32 { return 0 },
	"few values": func(rng *rand.Rand, _ int) float32 { return float32(rng.IntN(5)) },
	"one value":  func(*rand.Rand, int) float32 { return 3 },
	"growing":    func(_ *rand.Rand, i int) float32 { return float32(i) },
	"other rows": func(rng *rand.Rand, i int) float32 { return float32(math.Abs(rng.NormFloat64())) * float32(1+i/5000) },
	"a far block": func(rng *rand.Rand, i int) float32 {
		return float32(math.Abs(rng.NormFloat64())) + float32(i/100_000*100)
	},
	"many zeros at the end": func(rng *rand.Rand, i int) float32 {
		return max(0, float32(200_000-i))
	},
}

// One pass behind a sample finds what the histograms find, or says that it did not.
func TestCutsNear(t *testing.T) {
	const n = 300_001
	for name, value := range magnitudesLike {
		rng := rand.New(rand.NewPCG(1, 2))
		mag := make([]float32, n)
		for i := range mag {
			mag[i] = value(rng, i)
		}
		passed := 0
		read := func(off int, dst []float32) error {
			if len(dst) == windowBlock || off == n/windowBlock*windowBlock {
				passed += len(dst)
			}
			copy(dst, mag[off:])
			return nil
		}
		for _, counts := range [][2]int{{1, n - 1}, {n / 2, n / 100}, {n / 10, n * 9 / 10}, {2, n / 3}, {n - 2, n / 4}} {
			for _, top := range []bool{true, false} {
				ranks := []rank{{top, counts[0]}, {top, counts[1]}}
				t.Run(fmt.Sprint(name, ranks), func(t *testing.T) {
					want, err := selectCuts(n, ranks, blocks(mag, 1000))
					if err != nil {
						t.Fatal(err)
					}
					passed = 0
					got, ok, err := selectCutsNear(n, ranks, read)
					if err != nil || !ok {
						t.Fatal(ok, err)
					}
					if diff := cmp.Diff(want, got, cmp.AllowUnexported(rank{})); diff != "" {
						t.Error(diff)
					}
					if passed > n+len(ranks)*windowBlock {
						t.Errorf("%d elements were read in one pass of %d", passed, n)
					}
				})
			}
		}
	}
}

// Where the sample misleads, it says so instead of something wrong.
func TestCutsNotNear(t *testing.T) {
	const n = 1 << 20
	sampled := map[int]bool{}
	mag := make([]float32, n)
	if _, err := openWindows(n, []rank{{true, 1}}, func(off int, dst []float32) error {
		for i := range dst {
			sampled[off+i] = true
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for i := range mag {
		if mag[i] = 7; sampled[i] {
			mag[i] = 1 + float32(i%1000)/1000
		}
	}
	read := func(off int, dst []float32) error { copy(dst, mag[off:]); return nil }
	if found, ok, err := selectCutsNear(n, []rank{{true, n / 2}}, read); ok || err != nil {
		t.Errorf("it found %v, %v", found, err)
	}
	broken := errors.New("broken")
	if _, ok, err := selectCutsNear(n, []rank{{true, n / 2}}, func(off int, _ []float32) error {
		if off > n/2 {
			return broken
		}
		return nil
	}); ok || !errors.Is(err, broken) {
		t.Errorf("%v, %v, want an error", ok, err)
	}
}
