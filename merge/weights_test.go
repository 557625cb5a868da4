package merge_test

import (
	"math"
	"testing"

	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// A method that says it is Linear merges to the sum of its sources, or of the base and
// the differences to it, times Weights; the others have none.
func TestWeights(t *testing.T) {
	b := xlatest.Fastest(t)
	p := family(t, tensors.F32, 3, 300)
	linear := 0
	for _, m := range merge.Methods() {
		if m.Params == nil {
			continue
		}
		for _, s := range specs(m, 3, 0, 3) {
			first := p.Merged()[0]
			c, err := s.Weights(first.Name)
			if !m.Linear {
				if err == nil {
					t.Errorf("%s has weights %v", m.Name, c)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%s: %v", m.Name, err)
			}
			linear++
			got := streamed(t, b.Backend, s, p)[first.Name]
			want := make([]float64, first.Len())
			add := func(parent int, c float64) {
				x := make([]float32, first.Len())
				if err := p.Sources()[parent].ReadAt(x, first.Name, 0); err != nil {
					t.Fatal(err)
				}
				for i, v := range x {
					want[i] += c * float64(v)
				}
			}
			part := s.Parts[0]
			if part.Base >= 0 {
				rest := 1.0
				for _, v := range c {
					rest -= v
				}
				add(part.Base, rest)
			}
			for k, parent := range part.Inputs {
				add(parent, c[k])
			}
			for i := range want {
				if math.Abs(float64(got[i])-want[i]) > 1e-5 {
					t.Fatalf("%s: element %d is %g, the weights %v make %g", m.Name, i, got[i], c, want[i])
				}
			}
		}
	}
	if linear < 9 {
		t.Errorf("%d linear merges", linear)
	}
}
