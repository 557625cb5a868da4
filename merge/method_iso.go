package merge

import (
	"context"
	"math"

	"github.com/mergevo/mergevo/internal/dense"
)

// specific returns how many directions of each model iso_cts takes, of r in all.
func specific(r, models int, common float64) int {
	rest := float64(r - int(common*float64(r)))
	return min(int(math.RoundToEven(rest/float64(models))), r/models)
}

func deriveIsoCTS(ctx context.Context, p *Profile) (Derivation, error) {
	m, ok := p.taskMatrices()
	if !ok {
		return meanOf(p), nil
	}
	each := specific(m.cols, len(p.source), p.global.Get("common"))
	g, err := m.grams(ctx, summed)
	if err != nil {
		return nil, err
	}
	shared, err := spectrumOf(g[0], m.cols-each*len(p.source), 0)
	if err != nil {
		return nil, err
	}
	left := span{m: m, cols: len(shared.values), terms: []term{{summed, shared.over(), 0}}}
	spectra := []spectrum{shared}
	for i := range p.source {
		if each == 0 {
			break
		}
		s, terms, err := m.beyond(ctx, i, each, shared)
		if err != nil {
			return nil, err
		}
		for _, t := range terms {
			t.at = left.cols
			left.terms = append(left.terms, t)
		}
		left.cols += len(s.values)
		spectra = append(spectra, s)
	}
	var sum float64
	for _, s := range spectra {
		for _, x := range s.values {
			sum += x
		}
	}
	u, v, right, err := left.orthogonal(ctx, spectra)
	if err != nil {
		return nil, err
	}
	half, by := dense.New(m.cols, left.cols), dense.New(left.cols, m.cols)
	dense.Mul(half, right, v)
	dense.AddMul(by, u, half.T(), sum/float64(m.cols))
	return left.times([]dense.Matrix{by}), nil
}

// beyond returns the strongest directions of a source's task matrix beyond the shared
// left singular vectors, and of what its left ones are made. The tensor's left side is
// that of the matrices, if they are tall, and the other side if they are wide.
func (m matrices) beyond(ctx context.Context, source, most int, shared spectrum) (spectrum, []term, error) {
	g, err := m.grams(ctx, source)
	if err != nil {
		return spectrum{}, nil, err
	}
	gram := g[0]
	scale := 0.0
	for i := range gram.Rows {
		scale += gram.At(i, i)
	}
	scale = math.Sqrt(scale) // of the whole matrix: what is taken off leaves rounding errors
	if m.wide {
		// d - d Q, Q = U_0 U_0^T on the short side: (I - Q) d^T d (I - Q).
		q := projector(shared.vectors)
		half := dense.New(gram.Rows, gram.Rows)
		dense.Mul(half, gram, q)
		gram.Clear()
		dense.Mul(gram, q, half)
		s, err := spectrumOf(gram, most, scale)
		if err != nil {
			return s, nil, err
		}
		by := dense.New(s.vectors.Rows, len(s.values))
		dense.Mul(by, q, s.over())
		return s, []term{{source: source, by: by}}, nil
	}
	// K = U_0^T d = S_0^-1 V_0^T (sum d)^T d, and (d - U_0 K)^T (d - U_0 K) = d^T d - K^T K.
	over := shared.over()
	cross := dense.New(m.cols, m.cols)
	err = m.each(ctx, []int{summed, source}, func(_, _ int, b []dense.Matrix) {
		dense.AddMul(cross, b[0].T(), b[1], 1)
	})
	if err != nil {
		return spectrum{}, nil, err
	}
	k := dense.New(len(shared.values), m.cols)
	dense.Mul(k, over.T(), cross)
	dense.AddMul(gram, k.T(), k, -1)
	s, err := spectrumOf(gram, most, scale)
	if err != nil {
		return s, nil, err
	}
	own := s.over()
	kept, of := dense.New(k.Rows, own.Cols), dense.New(m.cols, own.Cols)
	dense.Mul(kept, k, own)
	dense.AddMul(of, over, kept, -1)
	return s, []term{{source: source, by: own}, {source: summed, by: of}}, nil
}

// projector returns I - v v^T.
func projector(v dense.Matrix) dense.Matrix {
	q := dense.New(v.Rows, v.Rows)
	for i := range v.Rows {
		q.Set(i, i, 1)
	}
	dense.AddMul(q, v, v.T(), -1)
	return q
}
