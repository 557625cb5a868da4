package merge

import (
	"context"
	"math"

	"github.com/mergevo/mergevo/internal/dense"
)

var _ = row(scaled(Method{
	Name: "wudi", Doc: "The task matrix that least disturbs each model on the inputs that its own task matrix says it has, by descent from their sum; of tensors that are no matrix the mean.",
	Math: "d minimises sum_i |(d - d_i) d_i^T|^2 / |d_i|^2, from sum_i d_i by Adam (0.9, 0.999, 1e-8) for so many iterations; y = b + lambda d, of a tensor that is no matrix b + lambda mean_i d_i",
	Cite: "Cheng et al. 2025, Whoever Started the Interference Should End It: WUDI-Merging, arXiv:2503.08099",
	Base: BaseRequired, MinSources: 1,
	Params: []Param{lambda,
		fixed(Param{Name: "iterations", Default: 300, Max: 1e6, Doc: "steps of the descent"}),
		fixed(Param{Name: "learning_rate", Default: 1e-5, Max: math.Inf(1), Doc: "how far a step moves an entry, about; it is in the unit of the weights, so models with larger task vectors need more"}),
		matrix, kernels},
	Derive: deriveWUDI,
	Cost:   "a product of each of the models' matrices, m x n, with an n x n one for every iteration: 600 m n^2 operations by default; once an apply or a search, on all cores",
}))

// Adam's constants (Kingma & Ba 2015).
const (
	adamMean   = 0.9
	adamSquare = 0.999
	adamFloor  = 1e-8
)

func deriveWUDI(ctx context.Context, p *Profile) (Derivation, error) {
	rows, cols := p.asMatrix(p.global.Word("convolutions") == "matrix")
	if rows*cols == 0 || !p.global.Is("matrix") {
		return meanOf(p), nil
	}
	w := &interference{m: matrices{p: p, rows: rows, cols: cols}, steps: int(p.global.Get("iterations")), rate: p.global.Get("learning_rate")}
	if err := w.measure(ctx); err != nil {
		return nil, err
	}
	// A row of the answer depends on no other.
	return &byRows{rows: rows, cols: cols, block: min(blockRows(cols), rows), fill: w.rows}, nil
}

// interference is half the gradient of WUDI's objective, row by row: of a row x of d
// it is sum_i (x - x_i) G_i, G_i = d_i^T d_i / |d_i|^2.
type interference struct {
	m     matrices // as they lie, tall or wide
	steps int
	rate  float64
	// grams are the G_i, all their sum, by which each step multiplies; or where that is
	// less work stacked are the d_i / |d_i|, one below the other, for
	// G_i = stacked_i^T stacked_i.
	grams   []dense.Matrix
	all     *dense.Packed
	stacked []dense.Matrix
}

func (w *interference) measure(ctx context.Context) error {
	k := len(w.m.p.source)
	if 2*k*w.m.rows < w.m.cols {
		for i := range k {
			s := dense.New(w.m.rows, w.m.cols)
			if err := w.m.read(i, 0, w.m.rows, s); err != nil {
				return err
			}
			var norm float64
			for r := range s.Rows {
				row := s.Part(r, r+1, 0, s.Cols).Data[:s.Cols]
				for _, x := range row {
					norm += x * x
				}
			}
			if err := w.normed(ctx, s, math.Sqrt(norm)); err != nil {
				return err
			}
			w.stacked = append(w.stacked, s)
		}
		return nil
	}
	all := dense.New(w.m.cols, w.m.cols)
	for i := range k {
		g, err := w.m.grams(ctx, i)
		if err != nil {
			return err
		}
		var norm float64
		for j := range w.m.cols {
			norm += g[0].At(j, j)
		}
		if err := w.normed(ctx, g[0], norm); err != nil {
			return err
		}
		for j, x := range g[0].Data {
			all.Data[j] += x
		}
		w.grams = append(w.grams, g[0])
	}
	w.all = dense.Pack(all)
	return nil
}

// normed divides a matrix by a norm; a model that changes nothing disturbs nothing.
func (w *interference) normed(ctx context.Context, a dense.Matrix, norm float64) error {
	if norm-norm != 0 {
		return w.m.p.notFinite(ctx)
	}
	if norm == 0 {
		norm = 1
	}
	for i := range a.Data {
		a.Data[i] /= norm
	}
	return nil
}

// add adds by x G_i to sum, of one source, or of all for summed.
func (w *interference) add(sum, x dense.Matrix, source int, by float64) {
	switch {
	case w.stacked == nil && source == summed:
		dense.AddMulPacked(sum, x, w.all, by)
	case w.stacked == nil:
		dense.AddMul(sum, x, w.grams[source], by)
	default:
		for i, s := range w.stacked {
			if source == summed || source == i {
				inner := dense.New(x.Rows, s.Rows)
				dense.Mul(inner, x, s.T())
				dense.AddMul(sum, inner, s, by)
			}
		}
	}
}

// rows descends for rows [lo, hi).
func (w *interference) rows(ctx context.Context, lo, hi int, dst [][]float32) error {
	n := hi - lo
	fresh := func() dense.Matrix { return dense.New(n, w.m.cols) }
	x, own, target, slope := fresh(), fresh(), fresh(), fresh()
	for i := range w.m.p.source {
		if err := w.m.read(i, lo, hi, own); err != nil {
			return err
		}
		w.add(target, own, i, 1)
		for j, d := range own.Data {
			x.Data[j] += d
		}
	}
	mean, square := fresh(), fresh()
	one, two := 1.0, 1.0
	for range w.steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		slope.Clear()
		w.add(slope, x, summed, 2)
		one, two = one*adamMean, two*adamSquare
		dense.Each(n, func(r int) {
			for j := r * w.m.cols; j < (r+1)*w.m.cols; j++ {
				g := slope.Data[j] - 2*target.Data[j]
				mean.Data[j] = adamMean*mean.Data[j] + (1-adamMean)*g
				square.Data[j] = adamSquare*square.Data[j] + (1-adamSquare)*g*g
				x.Data[j] -= w.rate * (mean.Data[j] / (1 - one)) / (math.Sqrt(square.Data[j]/(1-two)) + adamFloor)
			}
		})
	}
	for j, v := range x.Data {
		dst[0][j] = float32(v)
	}
	return nil
}
