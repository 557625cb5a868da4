package merge

import "fmt"

// Weights returns what each of a tensor's sources counts in a merge by a method that is
// Linear, in the float32 that the merge of whole models would multiply with.
func (s *Spec) Weights(tensor string) ([]float64, error) {
	m := s.Method
	global, source := s.Params(tensor)
	if !m.Linear {
		return nil, fmt.Errorf("%s is no weighted sum", m.Name)
	}
	f, u := m.widths(len(source), Rows{})
	out := Coefs{method: m, sources: len(source), f: make([]float32, f), u: make([]uint32, u)}
	if err := s.valid(tensor); err != nil {
		return nil, err
	}
	if err := m.Coef(nil, global, source, out); err != nil { // no profile is measured
		return nil, fmt.Errorf("%s: %w", tensor, err)
	}
	c := make([]float64, len(source))
	for i := range c {
		c[i] = float64(out.f[i*m.SourceF])
	}
	return c, nil
}
