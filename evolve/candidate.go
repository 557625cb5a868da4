package evolve

import (
	"cmp"
	"math"
	"slices"
)

// Candidate is one point an optimizer wants scored.
type Candidate[G any] struct {
	// ID is 1, 2, 3, … in order of asking and unique in a run.
	ID uint64

	// Parents are the IDs of the candidates it was bred from; none when it was
	// drawn from a distribution.
	Parents []uint64

	// Genome is for the reader to keep and not to change. Genomes of numbers
	// are points of the unit cube, see Box.
	Genome G
}

// Score says how good a candidate is; bigger is better.
type Score struct {
	// Value decides. NaN means failed, infinities are ordinary values.
	Value float64

	// Tie decides between equal values, such as accuracies over few examples;
	// NaN counts as -Inf.
	Tie float64

	// Items is the score of each example, for those who look closer.
	Items []float32

	// Objectives are what a search for a front trades off, each bigger is better;
	// empty: Value alone.
	Objectives []float64

	// Descriptors say what the candidate is like, each in [0, 1], for archives of
	// what differs; empty: the genome's first coordinates.
	Descriptors []float64

	// Err says why the candidate could not be scored: it failed.
	Err error
}

// Failed reports whether the score has an Err or a NaN Value: there is nothing
// to compare.
func (s Score) Failed() bool { return s.Err != nil || math.IsNaN(s.Value) }

// tie is Tie with NaN at the bottom.
func (s Score) tie() float64 {
	if math.IsNaN(s.Tie) {
		return math.Inf(-1)
	}
	return s.Tie
}

// Scored is a candidate with its score.
type Scored[G any] struct {
	Candidate[G]
	Score
}

// Compare is the one total order of a run: negative when a ranks before b, by
// Value, then Tie, then the lower ID; failed candidates come last, by ID. It is
// 0 for equal IDs with equal scores only.
func Compare[G any](a, b Scored[G]) int {
	if af, bf := a.Failed(), b.Failed(); af || bf {
		switch {
		case !af:
			return -1
		case !bf:
			return 1
		}
		return cmp.Compare(a.ID, b.ID)
	}
	return cmp.Or(
		cmp.Compare(b.Value, a.Value),
		cmp.Compare(b.tie(), a.tie()),
		cmp.Compare(a.ID, b.ID),
	)
}

// Better reports whether a ranks before b.
func Better[G any](a, b Scored[G]) bool { return Compare(a, b) < 0 }

// Rank sorts s in place, best first.
func Rank[G any](s []Scored[G]) { slices.SortStableFunc(s, Compare[G]) }
