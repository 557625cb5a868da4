package evolvetest_test

import (
	"math/rand/v2"
	"testing"

	"github.com/mergevo/mergevo/evolve/evolvetest"
)

// Each objective is 0 at its best point, and less anywhere else.
func TestObjectives(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, o := range evolvetest.Objectives() {
		for _, n := range []int{1, 2, 17} {
			best := make([]float64, n)
			for i := range best {
				best[i] = o.Best
			}
			if got := o.F(best); got != 0 {
				t.Errorf("%s, n = %d: %v at the best point, want 0", o.Name, n, got)
			}
			for range 100 {
				x := make([]float64, n)
				for i := range x {
					x[i] = o.Best + rng.NormFloat64()
				}
				if got := o.F(x); got >= 0 {
					t.Errorf("%s(%v) = %v, want less than 0", o.Name, x, got)
				}
			}
		}
	}
}
