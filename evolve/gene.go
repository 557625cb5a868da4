package evolve

import (
	"errors"
	"fmt"
	"math"
)

// Gene is one coordinate of the search box.
//
// The zero Log, Int, Grid and Choices say a real number on a linear scale.
type Gene struct {
	Name string

	// Lo and Hi bound the value, both included. Start is where the search
	// begins, between them. All three are in the units of the value.
	Lo, Hi, Start float64

	// Log spreads the search evenly over orders of magnitude; Lo must be
	// positive.
	Log bool

	// Int rounds values to whole numbers, each with an equal share of the
	// coordinate; Lo and Hi must be whole.
	Int bool

	// Grid > 0 snaps values to multiples of Grid; one of them at least must lie
	// between Lo and Hi. 0: no grid.
	Grid float64

	// Choices > 0 makes the gene categorical: its value is 0, 1, …, Choices-1,
	// each with an equal share, and Start is one of them. Lo and Hi are then
	// left zero or say 0 and Choices-1; Log, Int and Grid stay unset.
	Choices int
}

// validate says what is wrong with the gene, without naming it.
func (g Gene) validate() error {
	for _, v := range [...]float64{g.Lo, g.Hi, g.Start, g.Grid} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("lo %v, hi %v, start %v and grid %v must be finite", g.Lo, g.Hi, g.Start, g.Grid)
		}
	}
	if g.Choices != 0 {
		return g.validateChoices()
	}
	switch {
	case g.Lo >= g.Hi:
		return fmt.Errorf("lo %v is not below hi %v", g.Lo, g.Hi)
	case math.IsInf(g.Hi-g.Lo, 0):
		return fmt.Errorf("the range %v to %v is too wide for a float64", g.Lo, g.Hi)
	case g.Start < g.Lo || g.Start > g.Hi:
		return fmt.Errorf("start %v is outside [%v, %v]", g.Start, g.Lo, g.Hi)
	case g.Log && g.Lo <= 0:
		return fmt.Errorf("a log scale needs lo above 0, not %v", g.Lo)
	case g.Int && (g.Lo != math.Trunc(g.Lo) || g.Hi != math.Trunc(g.Hi)):
		return fmt.Errorf("whole values need whole bounds, not %v and %v", g.Lo, g.Hi)
	case g.Grid < 0:
		return fmt.Errorf("grid %v is negative", g.Grid)
	case g.Grid > 0 && g.Int:
		return errors.New("grid and int exclude each other")
	}
	if lo, hi := g.gridEnds(); g.Grid > 0 && lo > hi {
		return fmt.Errorf("no multiple of the grid %v lies in [%v, %v]", g.Grid, g.Lo, g.Hi)
	}
	return nil
}

func (g Gene) validateChoices() error {
	last := float64(g.Choices - 1)
	switch {
	case g.Choices < 0:
		return fmt.Errorf("%d choices", g.Choices)
	case g.Log || g.Int || g.Grid != 0:
		return errors.New("a choice takes no log, int or grid")
	case g.Lo != 0 || g.Hi != 0 && g.Hi != last:
		return fmt.Errorf("a choice of %d runs from 0 to %v, not from %v to %v", g.Choices, last, g.Lo, g.Hi)
	case g.Start < 0 || g.Start > last || g.Start != math.Trunc(g.Start):
		return fmt.Errorf("start %v is not one of 0 to %v", g.Start, last)
	}
	return nil
}

// value maps a unit coordinate to the gene's value.
func (g Gene) value(u float64) float64 {
	u = clampUnit(u)
	if g.Choices > 0 {
		return math.Min(math.Floor(u*float64(g.Choices)), float64(g.Choices-1))
	}
	lo, hi := g.span()
	v := lo + u*(hi-lo)
	if g.Log {
		v = lo * math.Exp(u*math.Log(hi/lo))
	}
	if u == 1 {
		v = hi
	}
	if g.Int {
		v = math.Floor(v + 0.5)
	}
	if g.Grid > 0 {
		v = g.snap(v)
	}
	return math.Max(g.Lo, math.Min(v, g.Hi))
}

// unit is the inverse of value: the middle of the share of a whole number or
// choice.
func (g Gene) unit(v float64) float64 {
	if g.Choices > 0 {
		v = math.Max(0, math.Min(v, float64(g.Choices-1)))
		return clampUnit((v + 0.5) / float64(g.Choices))
	}
	v = math.Max(g.Lo, math.Min(v, g.Hi))
	lo, hi := g.span()
	if g.Log {
		return clampUnit(math.Log(v/lo) / math.Log(hi/lo))
	}
	return clampUnit((v - lo) / (hi - lo))
}

// values is the number of values of a whole number or a choice, each with an equal
// share of the coordinate; 0 for other genes.
func (g Gene) values() int {
	const most = 1 << 20 // beyond it is continuous
	switch {
	case g.Choices > 0:
		return g.Choices
	case g.Int && !g.Log && g.Hi-g.Lo < most:
		return int(g.Hi-g.Lo) + 1
	}
	return 0
}

// span is what the unit interval covers: half a step beyond the bounds of a
// whole number, else its first and last value would get half a share each.
func (g Gene) span() (lo, hi float64) {
	if g.Int {
		return g.Lo - 0.5, g.Hi + 0.5
	}
	return g.Lo, g.Hi
}

func (g Gene) snap(v float64) float64 {
	lo, hi := g.gridEnds()
	k := math.Max(lo, math.Min(math.Round(v/g.Grid), hi))
	// 3·0.1 is 0.30000000000000004, 3/10 is the 0.3 which people write.
	if inv := math.Round(1 / g.Grid); inv*g.Grid == 1 {
		return k / inv
	}
	return k * g.Grid
}

// gridEnds are the first and last multiple of Grid within the bounds. The slack
// keeps 0.3 on a grid of 0.1, whose quotient is 2.9999999999999996.
func (g Gene) gridEnds() (first, last float64) {
	const slack = 1e-9
	return math.Ceil(g.Lo/g.Grid - slack), math.Floor(g.Hi/g.Grid + slack)
}

// clampUnit puts NaN, which no optimizer here proposes, at 0.
func clampUnit(u float64) float64 {
	if !(u > 0) {
		return 0
	}
	return math.Min(u, 1)
}
