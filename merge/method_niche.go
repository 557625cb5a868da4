package merge

import (
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // mathematics reads as mathematics
)

var _ = row(Method{
	Name: "niche", Doc: "Pieces of the models: along the flat order of all weights, each stretch has shares of its own. It is what M2N2 breeds; the recipe's niche says the order and the stretches, which a search makes.",
	Math:       "y[j] = sum_i c_i(stretch of j) x_i[j]",
	Cite:       "Abrantes, Lange and Tang 2025, Competition and Attraction Improve Model Fusion, arXiv:2508.16204",
	Base:       BaseUnused,
	MinSources: 1,
	Rows:       func(global Values, shape []int) Rows { return global.Pieces.rows(shape) },
	RowF:       1,
	RowGlobalU: 1,
	// c_i, and where the stretch ends.
	Coef: func(_ *Profile, global Values, source []Values, out Coefs) error {
		return global.Pieces.fill(out, len(source))
	},
	Mix: func(x *Operands) *Node {
		piece := x.Piece()
		y := Mul(x.PieceF(piece, 0, 0), x.Source(0))
		for i := 1; i < x.Len(); i++ {
			y = Add(y, Mul(x.PieceF(piece, i, 0), x.Source(i)))
		}
		return y
	},
})
