package merge

import (
	"context"

	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/tensors"
)

// place is where a chunk lies in its tensor, and how the tensor falls into rows.
func (r Rows) place(off int) []uint32 {
	return []uint32{uint32(off), uint32(max(1, r.Div)), uint32(max(1, r.Mod))}
}

// prepares returns how many operands a method prepares for a tensor.
func (m *Method) prepares(p *Profile) int {
	n := 0
	if p.rankAxis >= 0 {
		n += len(p.source)
	}
	if p.statistics() {
		n += len(p.source)
	}
	return n + count(m.Spread != nil) + m.Derives(len(p.source)) + count(p.solves)
}

// prepareWhole makes what a method prepares for a tensor, and lets go of what is only
// needed to make it.
func prepareWhole(ctx context.Context, m *Method, p *Profile) ([]*gmlx.Tensor, error) {
	made, err := prepare(ctx, m, p, 0, p.n, p.n)
	if err == nil {
		p.derivation = nil
	}
	return made, err
}

// prepare makes what a method prepares for elements [off, off+n) of a tensor, each
// [1, size], zero-padded.
func prepare(ctx context.Context, m *Method, p *Profile, off, n, size int) ([]*gmlx.Tensor, error) {
	made := []*gmlx.Tensor{} // not nil: made is made, even of nothing
	if r := p.ranked(); r != nil {
		for i := range p.source {
			ranks := make([]uint32, size)
			if err := r.ranksAt(i, off, ranks[:n]); err != nil {
				return nil, err
			}
			made = append(made, gmlx.FromFlatDataAndDimensions(ranks, 1, size))
		}
	}
	if p.statistics() {
		if err := p.noStatistic(m.Statistic); err != nil {
			return nil, err
		}
		for i := range p.source {
			s := make([]float32, size)
			if err := p.statistic[i].ReadAt(s[:n], p.tensor, off); err != nil {
				return nil, err
			}
			made = append(made, gmlx.FromFlatDataAndDimensions(s, 1, size))
		}
	}
	if m.Spread != nil {
		spread := make([]float32, size)
		if err := m.Spread(p, off, spread[:n]); err != nil {
			return nil, err
		}
		made = append(made, gmlx.FromFlatDataAndDimensions(spread, 1, size))
	}
	if m.Derive != nil {
		derived, err := p.derived(ctx, m, off, n, size)
		if err != nil {
			return nil, err
		}
		for _, v := range derived {
			made = append(made, gmlx.FromFlatDataAndDimensions(v, 1, size))
		}
	}
	return made, nil
}

// prepared is how many bytes a method prepares for each element of a tensor.
func (s *Spec) prepared(p *Parents, t tensors.Info) (n int64) {
	inputs := len(s.Parts[p.part[t.Name]].Inputs)
	if s.Method.RankAxis != nil && s.rows(t).Count > 0 {
		n += 4 * int64(inputs)
	}
	if st := s.Method.Statistic; st != nil && st.Elementwise {
		n += 4 * int64(inputs)
	}
	return n + 4*int64(count(s.Method.Spread != nil)+s.Method.Derives(inputs)+count(s.Method.Solve != nil))
}
