package evolve

import "fmt"

// asked keeps account of the generation which is out: IDs first, …,
// first+count-1. Optimizers with generations of a fixed size embed it.
type asked struct {
	first uint64 // the ID of the first candidate of this generation, from 1
	out   bool   // Ask has returned them, Tell has not taken them
}

// match returns an error which wraps ErrNotAsked unless told are exactly the
// count candidates of this generation.
func match[G any](a asked, count int, told []Scored[G]) error {
	if !a.out {
		return fmt.Errorf("%d candidates told, none is out: %w", len(told), ErrNotAsked)
	}
	if len(told) != count {
		return fmt.Errorf("%d candidates told of %d: %w", len(told), count, ErrNotAsked)
	}
	seen := make([]bool, count)
	for _, s := range told {
		k := s.ID - a.first // wraps to a huge number below first
		switch {
		case k >= uint64(count):
			return fmt.Errorf("candidate %d is not one of %d to %d: %w", s.ID, a.first, a.first+uint64(count)-1, ErrNotAsked)
		case seen[k]:
			return fmt.Errorf("candidate %d told twice: %w", s.ID, ErrNotAsked)
		}
		seen[k] = true
	}
	return nil
}
