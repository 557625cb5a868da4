package evolve

import (
	"errors"
	"fmt"
	"math"
)

// Box is what an optimizer searches: one Gene a dimension. Optimizers see the
// unit cube [0,1]^n only; the box maps its points to values and back.
type Box []Gene

// Validate returns an error which names the first gene whose bounds, start or
// scale make no sense, or which another gene has the name of. A box without
// genes is an error too. The other methods are for valid boxes.
func (b Box) Validate() error {
	if len(b) == 0 {
		return errors.New("the box has no genes")
	}
	seen := make(map[string]int, len(b))
	for i, g := range b {
		if err := g.validate(); err != nil {
			return fmt.Errorf("gene %d %q: %w", i, g.Name, err)
		}
		if j, ok := seen[g.Name]; ok && g.Name != "" {
			return fmt.Errorf("gene %d %q: gene %d has the same name", i, g.Name, j)
		}
		seen[g.Name] = i
	}
	return nil
}

// Start returns the unit coordinates of the starts.
func (b Box) Start() []float64 {
	u := make([]float64, len(b))
	for i, g := range b {
		u[i] = g.unit(g.Start)
	}
	return u
}

// Values maps unit coordinates to values. Each lies within its gene's bounds,
// coordinates outside [0,1] being clamped; the same u gives the same bits. It
// panics unless u has one coordinate a gene.
func (b Box) Values(u []float64) []float64 {
	if len(u) != len(b) {
		panic("evolve: Box.Values: one coordinate a gene")
	}
	v := make([]float64, len(b))
	for i, g := range b {
		v[i] = g.value(u[i])
	}
	return v
}

// Unit maps values, clamped to their genes' bounds, to unit coordinates: the
// inverse of Values up to rounding; whole numbers, choices and points of a grid
// come back exactly. It panics unless v has one value a gene.
func (b Box) Unit(v []float64) []float64 {
	if len(v) != len(b) {
		panic("evolve: Box.Unit: one value a gene")
	}
	u := make([]float64, len(b))
	for i, g := range b {
		u[i] = g.unit(v[i])
	}
	return u
}

// defaultPopulation is 4 + floor(3 ln n), n ≥ 1 (Hansen, arXiv:1604.00772, eq. 48).
func defaultPopulation(n int) int {
	return 4 + int(3*math.Log(float64(n)))
}
