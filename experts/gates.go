package experts

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/mergevo/mergevo/merge"
)

// Unit scales a vector to length 1; one of zeros stays.
func Unit(x []float64) []float32 {
	norm := 0.0
	for _, v := range x {
		norm += v * v
	}
	norm = math.Max(math.Sqrt(norm), 1e-8)
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(v / norm)
	}
	return out
}

// Random are gates of noise: normal, or uniform in [-1, 1], each row of length 1. The
// shared expert's come behind the others'.
func (m *Mixture) Random(uniform bool) Gates {
	var g Gates
	for l := range m.Layers {
		var rows [][]float32
		for e := range m.experts + 1 {
			x := make([]float32, m.Width)
			tensor := fmt.Sprintf("gate of layer %d", l)
			if uniform {
				bits := make([]uint32, m.Width)
				merge.Noise(bits, m.seed, e, tensor, 0)
				for i, b := range bits {
					x[i] = float32(float64(b)*0x1p-31 - 1)
				}
			} else {
				normal(x, m.seed, e, tensor, 0)
			}
			wide := make([]float64, len(x))
			for i, v := range x {
				wide[i] = float64(v)
			}
			rows = append(rows, Unit(wide))
		}
		g.Experts = append(g.Experts, rows[:m.experts])
		g.Shared = append(g.Shared, rows[m.experts])
	}
	return g
}

// tooAlike is the condition number of a layer's gates above which some expert is hardly
// ever chosen.
const tooAlike = 5

// Alike lists the layers whose gates are nearly dependent on each other.
func (g Gates) Alike() []int {
	var out []int
	for l, rows := range g.Experts {
		m := mat.NewDense(len(rows), len(rows[0]), nil)
		for i, row := range rows {
			for j, v := range row {
				m.Set(i, j, float64(v))
			}
		}
		var svd mat.SVD
		if !svd.Factorize(m, mat.SVDNone) || svd.Cond() > tooAlike {
			out = append(out, l)
		}
	}
	return out
}
