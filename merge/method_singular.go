package merge

import (
	"context"
	"math"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // mathematics reads as mathematics

	"github.com/mergevo/mergevo/internal/dense"
)

// Merges of task matrices by their singular values. What they make of a tensor is
// linear in none of their models, but for lambda, and for tsv_m's weights.

var (
	rankShare = fixed(Param{Name: "rank", Max: 1, Doc: "share of each model's singular directions that is kept, at least one; 0: one part in as many as there are models (the paper)"})
	common    = fixed(Param{Name: "common", Default: 0.8, Max: 1, Doc: "share of the directions that is taken from the sum of the task matrices; the rest falls to the models alike"})
	kernels   = fixed(Param{Name: "convolutions", Choices: []string{"mean", "matrix"}, Doc: "what becomes of a tensor of more than two dimensions: the mean of the task vectors (the authors' code), or what becomes of a matrix of its first dimension by all others"})
	matrix    = fixed(flag("matrix", true, "false: the mean of the task vectors, of this matrix too; with a filter, of embeddings, say"))
	equalled  = wider(lambda, 3) // a mean of singular values is small where many are
	share     = Param{Name: "weight", PerSource: true, Default: 1, Min: math.Inf(-1), Max: math.Inf(1), High: 2, Start: 1, Doc: "factor of what the model adds"}
)

var _ = row(Method{
	Name: "tsv_m", Doc: "Each model's strongest singular directions, made orthogonal to the other models'; of tensors that are no matrix the mean.",
	Math: "d_i = U_i S_i V_i^T cut to k = max(1, int(rank r)) of its r singular values, those below 1e-6 of the largest left out as noise; U = [U_1 .. U_T], V likewise, each replaced by the nearest matrix with orthogonal columns, U (U^T U)^(-1/2); y = b + lambda sum_i w_i U_i S_i V_i^T, of a tensor that is no matrix b + lambda sum_i w_i d_i / T",
	Cite: "Gargiulo et al. 2025, Task Singular Vectors, arXiv:2412.00081",
	Base: BaseRequired, MinSources: 1,
	Params: []Param{share, lambda, rankShare, matrix, kernels},
	Derive: deriveTSV, DeriveEach: true, Cost: costSingular,
	SourceF: 1,
	Coef: func(_ *Profile, global Values, source []Values, out Coefs) error {
		for i, s := range source {
			out.SetF(i, 0, global.Get("lambda")*s.Get("weight"))
		}
		return nil
	},
	Mix: func(x *Operands) *Node {
		y := Mul(x.F(0, 0), x.Derived(0))
		for i := 1; i < x.Len(); i++ {
			y = Add(y, Mul(x.F(i, 0), x.Derived(i)))
		}
		return Add(x.Base(), y)
	},
})

var _ = row(scaled(Method{
	Name: "iso_c", Doc: "The sum of the task matrices with all its singular values made equal; of tensors that are no matrix the mean.",
	Math: "sum_i d_i = U S V^T with r singular values, U and V without those below 1e-6 of the largest, which are noise; y = b + lambda mean(S) U V^T, of a tensor that is no matrix b + lambda mean_i d_i",
	Cite: "Marczak et al. 2025, No Task Left Behind: Isotropic Model Merging, arXiv:2502.04959",
	Base: BaseRequired, MinSources: 1,
	Params: []Param{equalled, matrix, kernels},
	Derive: deriveIso,
}))

var _ = row(scaled(Method{
	Name: "iso_cts", Doc: "As iso_c, with the weakest directions of the sum replaced by the models' own strongest ones beyond the others.",
	Math: "s = int((r - int(common r)) / T, rounded to even) directions of each model, c = r - T s of the sum: U_0 S_0 V_0^T is the sum of the d_i cut to c singular values, U_i S_i V_i^T is d_i - U_0 U_0^T d_i cut to s; U = [U_0 U_1 .. U_T] and V made orthogonal as in tsv_m; y = b + lambda mean(S) U V^T, the mean over all r; of a tensor that is no matrix b + lambda mean_i d_i",
	Cite: "Marczak et al. 2025, No Task Left Behind: Isotropic Model Merging, arXiv:2502.04959",
	Base: BaseRequired, MinSources: 1,
	Params: []Param{equalled, common, matrix, kernels},
	Derive: deriveIsoCTS,
}))

const costSingular = "eigenvectors of symmetric matrices as large as the shorter side of each of the models' matrices: time grows as its cube; once an apply or a search, on all cores"

// fixed makes a parameter one that no search may vary.
func fixed(p Param) Param {
	p.Fixed = true
	return p
}

// wider is a parameter that a search takes up to high.
func wider(p Param, high float64) Param {
	p.High = high
	return p
}

// scaled is a method whose one operand is added lambda times.
func scaled(m Method) Method {
	if m.Cost == "" {
		m.Cost = costSingular
	}
	m.GlobalF = 1
	m.Coef = func(_ *Profile, global Values, _ []Values, out Coefs) error {
		out.SetGlobal(0, global.Get("lambda"))
		return nil
	}
	m.Mix = func(x *Operands) *Node { return Add(x.Base(), Mul(x.Global(0), x.Derived(0))) }
	return m
}

// taskMatrices are the task vectors as matrices, if this tensor is to be merged as one.
func (p *Profile) taskMatrices() (m matrices, ok bool) {
	rows, cols := p.asMatrix(p.global.Word("convolutions") == "matrix")
	if rows*cols == 0 || !p.global.Is("matrix") {
		return m, false
	}
	return p.matrices(rows, cols), true
}

func deriveTSV(ctx context.Context, p *Profile) (Derivation, error) {
	m, ok := p.taskMatrices()
	if !ok {
		return sharesOfMean(p), nil
	}
	most := max(1, m.cols/len(p.source))
	if r := p.global.Get("rank"); r > 0 {
		most = max(1, int(r*float64(m.cols)))
	}
	left := span{m: m}
	own := make([]spectrum, len(p.source))
	for i := range own {
		g, err := m.grams(ctx, i)
		if err != nil {
			return nil, err
		}
		if own[i], err = spectrumOf(g[0], most, 0); err != nil {
			return nil, err
		}
		left.terms = append(left.terms, term{i, own[i].over(), left.cols})
		left.cols += len(own[i].values)
	}
	u, v, right, err := left.orthogonal(ctx, own)
	if err != nil {
		return nil, err
	}
	by := make([]dense.Matrix, len(own))
	for i, s := range own {
		from, to := left.terms[i].at, left.terms[i].at+len(s.values)
		half, whole := dense.New(m.cols, to-from), dense.New(left.cols, m.cols)
		dense.Mul(half, right, v.Columns(from, to))
		half.ScaleColumns(s.values)
		dense.Mul(whole, u.Columns(from, to), half.T())
		by[i] = whole
	}
	return left.times(by), nil
}

// orthogonal returns what makes the span's columns orthogonal from the right, and the
// same for the right singular vectors of some spectra side by side, which it returns.
func (s *span) orthogonal(ctx context.Context, spectra []spectrum) (u, v, right dense.Matrix, err error) {
	right = dense.New(s.m.cols, s.cols)
	at := 0
	for _, x := range spectra {
		right.Columns(at, at+len(x.values)).Copy(x.vectors)
		at += len(x.values)
	}
	g, err := s.gram(ctx)
	if err != nil {
		return u, v, right, err
	}
	if u, err = whitening(g); err != nil {
		return u, v, right, err
	}
	v, err = whitening(dense.Gram(right))
	return u, v, right, err
}

func deriveIso(ctx context.Context, p *Profile) (Derivation, error) {
	m, ok := p.taskMatrices()
	if !ok {
		return meanOf(p), nil
	}
	g, err := m.grams(ctx, summed)
	if err != nil {
		return nil, err
	}
	s, err := spectrumOf(g[0], m.cols, 0)
	if err != nil {
		return nil, err
	}
	// U V^T = (sum d_i) V S^-1 V^T.
	right := dense.New(s.vectors.Rows, s.vectors.Cols)
	right.Copy(s.vectors)
	mean := make([]float64, len(s.values))
	for i := range mean {
		mean[i] = s.sum / float64(m.cols)
	}
	right.ScaleColumns(mean)
	left := span{m: m, cols: len(s.values), terms: []term{{summed, s.over(), 0}}}
	return left.times([]dense.Matrix{right.T()}), nil
}
