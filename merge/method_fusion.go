package merge

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // mathematics reads as mathematics
)

var _ = row(Method{
	Name: "arcee_fusion", Doc: "Take over from the model the entries that matter: large changes in rows whose distribution shifts.",
	Math: "k = KL(softmax(x) + 1e-8 || softmax(b) + 1e-8) of each row; imp = |x - b| k; y = b + (x - b) [imp >= median + 1.5 (q3 - q1)], quartiles of imp over the tensor",
	Cite: "Arcee AI, Arcee Fusion; mergekit 0.1.5",
	Base: BaseRequired, MinSources: 1, MaxSources: 1,
	Deviation: "Quartiles are exact where mergekit samples (above 1,000,000 entries); the divergence is computed in float64; the output keeps its type, where mergekit writes float32.",
	Rows:      func(_ Values, shape []int) Rows { return lastAxis(shape) }, RowGlobalF: 1, GlobalF: 1,
	Coef: coefFusion,
	Mix: func(x *Operands) *Node {
		d := x.Delta(0)
		imp := flushed(Mul(x.Magnitude(0), x.RowGlobal(x.Row(), 0)))
		d = BroadcastToShape(d, imp.Shape())
		return Add(x.Base(), Where(GreaterOrEqual(imp, x.Global(0)), d, ZerosLike(d)))
	},
})

// divergences are the rows' k, and the threshold of imp.
type divergences struct {
	row       []float32
	threshold float64
}

func coefFusion(p *Profile, _ Values, _ []Values, out Coefs) error {
	rows := out.Rows()
	d, err := once(p, "divergences", func() (divergences, error) { return p.divergences(rows) })
	if err != nil {
		return err
	}
	for r, k := range d.row {
		out.SetRowGlobal(r, 0, float64(k))
	}
	out.SetGlobal(0, d.threshold)
	return nil
}

func (p *Profile) divergences(rows Rows) (divergences, error) {
	out := divergences{row: make([]float32, rows.Count)}
	x, b := make([]float32, rows.Div), make([]float32, rows.Div)
	for r := range out.row {
		if err := p.source[0].ReadAt(x, p.tensor, r*rows.Div); err != nil {
			return out, err
		}
		if err := p.base.ReadAt(b, p.tensor, r*rows.Div); err != nil {
			return out, err
		}
		k := divergence(x, b)
		if math.IsNaN(k) {
			return out, fmt.Errorf("%s: row %d has no distribution: it holds NaN or Inf", p.tensor, r)
		}
		out.row[r] = floored(float32(math.Max(0, k)))
	}
	each := func(visit func(int, []float32)) error {
		return p.magnitudes(0, func(off int, mag []float32) {
			for i := range mag {
				mag[i] = floored(mag[i] * out.row[(off+i)/rows.Div])
			}
			visit(off, mag)
		})
	}
	// As mergekit: the value at the sorted index int(q (n-1)).
	var at [3]rank
	for i, q := range []float64{0.25, 0.5, 0.75} {
		at[i] = rank{false, int(q*float64(p.n-1)) + 1}
	}
	quartile := func(i int, cuts map[rank]Cut) float64 { return float64(cuts[at[i]].Mag) }
	if p.n == 1 {
		var only float64
		err := each(func(_ int, mag []float32) { only = float64(mag[0]) })
		out.threshold = only
		return out, err
	}
	cuts, err := selectCuts(p.n, at[:], each)
	if err != nil {
		return out, err
	}
	out.threshold = quartile(1, cuts) + 1.5*(quartile(2, cuts)-quartile(0, cuts))
	return out, nil
}

// divergence is KL(softmax(x) + e || softmax(b) + e) with e = 1e-8.
func divergence(x, b []float32) float64 {
	const e = 1e-8
	top := func(v []float32) float64 {
		m := math.Inf(-1)
		for _, f := range v {
			m = math.Max(m, float64(f))
		}
		return m
	}
	sum := func(v []float32, m float64) float64 {
		var s float64
		for _, f := range v {
			s += math.Exp(float64(f) - m)
		}
		return s
	}
	mx, mb := top(x), top(b)
	sx, sb := sum(x, mx), sum(b, mb)
	var k float64
	for i := range x {
		p := math.Exp(float64(x[i])-mx)/sx + e
		q := math.Exp(float64(b[i])-mb)/sb + e
		k += p * math.Log(p/q)
	}
	return k
}
