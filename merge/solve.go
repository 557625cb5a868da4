package merge

import (
	"fmt"
	"slices"

	gmlx "github.com/gomlx/gomlx/core/tensors"
)

// solve makes the whole tensor of a profile for a spec's parameters.
func (s *Spec) solve(p *Profile) ([]float32, error) {
	if err := s.valid(p.tensor); err != nil {
		return nil, err
	}
	global, source := s.Params(p.tensor)
	x, err := s.Method.Solve(p, global, source)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.tensor, err)
	}
	return x, nil
}

// key tells sets of parameters of a tensor apart.
func (s *Spec) key(tensor string) string {
	global, source := s.Params(tensor)
	list := [][]float64{global.values}
	for _, v := range source {
		list = append(list, v.values)
	}
	return fmt.Sprint(list)
}

// solve solves for a tensor that is streamed.
func (c *chunking) solve(s *Spec) (err error) {
	if c.profile.solves {
		c.solved, err = s.solve(c.profile)
	}
	return err
}

// solved is a tensor of the candidates of one call, as it was solved for.
type solved struct {
	keys   []string
	rows   [][]float32  // of each candidate; nil where it has no answer
	device *gmlx.Tensor // [P, N], nil until it is uploaded
}

// solve solves the tensors of the candidates that need it.
func (k *Kind) solve(specs []*Spec, errs []error) {
	for t, p := range k.profiles {
		k.solved[t].update(p, specs, errs)
	}
}

// update solves for the candidates of a call; errs[i] is set where one has no answer. What
// the last candidates had is kept, so that nothing is solved twice where no parameter is
// searched.
func (old *solved) update(p *Profile, specs []*Spec, errs []error) {
	if !p.solves {
		return
	}
	var now solved
	for i, s := range specs {
		key := s.key(p.tensor)
		var row []float32
		if at := slices.Index(now.keys, key); at >= 0 {
			row = now.rows[at]
		} else if at := slices.Index(old.keys, key); at >= 0 {
			row = old.rows[at]
		}
		if row == nil && errs[i] == nil {
			row, errs[i] = s.solve(p)
		}
		now.keys, now.rows = append(now.keys, key), append(now.rows, row)
	}
	if slices.Equal(now.keys, old.keys) {
		now.device = old.device
	} else {
		old.free()
	}
	*old = now
}

// upload returns the candidates' tensors on the device, [P, N]: zeros for those without
// an answer.
func (s *solved) upload(p *Profile) (*gmlx.Tensor, error) {
	if s.device != nil {
		return s.device, nil
	}
	if s.keys == nil {
		return nil, fmt.Errorf("%s: nothing was solved for yet", p.tensor)
	}
	flat := make([]float32, len(s.rows)*p.n)
	for i, row := range s.rows {
		copy(flat[i*p.n:], row)
	}
	s.device = gmlx.FromFlatDataAndDimensions(flat, len(s.rows), p.n)
	return s.device, nil
}

func (s *solved) free() {
	if s.device != nil {
		_ = s.device.FinalizeAll()
		s.device = nil
	}
}
