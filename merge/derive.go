package merge

import (
	"context"
	"fmt"
)

// Derivation is what a method made of one whole tensor, or how it makes pieces of it.
// It is used by one goroutine at a time.
type Derivation interface {
	// At fills each operand's slice with its elements [off, off+len) of the tensor.
	// An element's bits do not depend on the pieces in which it is asked for.
	At(ctx context.Context, off int, dst [][]float32) error
}

// Derives returns how many operands a method derives.
func (m *Method) Derives(sources int) int {
	switch {
	case m.Derive == nil:
		return 0
	case m.DeriveEach:
		return sources
	}
	return 1
}

// derived returns elements [off, off+n) of what a method derives, each of size
// elements, zero-padded. The whole tensor is seen to on the first call.
func (p *Profile) derived(ctx context.Context, m *Method, off, n, size int) ([][]float32, error) {
	p.deriving.Lock()
	defer p.deriving.Unlock()
	if p.derivation == nil {
		d, err := m.Derive(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.tensor, err)
		}
		p.derivation = d
	}
	made := make([][]float32, m.Derives(len(p.source)))
	part := make([][]float32, len(made))
	for i := range made {
		made[i] = make([]float32, size)
		part[i] = made[i][:n]
	}
	return made, p.derivation.At(ctx, off, part)
}

// fixed are the values of the parameters that a tensor's derivation depends on.
func (s *Spec) fixed(tensor string) []float64 {
	if s.Method.Derive == nil {
		return nil
	}
	global, _ := s.Params(tensor)
	var out []float64
	for i, p := range s.Method.Params {
		if p.Fixed {
			out = append(out, global.values[i])
		}
	}
	return out
}
