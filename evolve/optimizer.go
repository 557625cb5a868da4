package evolve

import (
	"context"
	"encoding"
	"errors"
)

// ErrNotAsked is returned (wrapped, with the culprit) by Optimizer.Tell when it
// is told anything but exactly the candidates of the last Ask: others, too few,
// some twice, or any when nothing is out.
var ErrNotAsked = errors.New("not what was asked")

// Optimizer proposes candidates and learns from their scores, a generation at a
// time. It is not safe for concurrent use.
//
// Everything it draws is keyed by (seed, candidate ID), so the same seed and the
// same scores give the same run.
type Optimizer[G any] interface {
	// Ask returns the next generation, at least one candidate. Asking again
	// without Tell returns the same candidates. The error is the context's, or
	// says why nothing can be proposed.
	Ask(ctx context.Context) ([]Candidate[G], error)

	// Tell takes the scores of exactly the candidates which Ask returned, in any
	// order; they are known by their IDs. Otherwise the error wraps ErrNotAsked
	// and the state is as before.
	Tell([]Scored[G]) error

	// Stop is "" while going on is worth it, else the reasons, separated by
	// ", ". It changes nothing, and Ask still works.
	Stop() string

	// MarshalBinary returns the whole state, also between Ask and Tell, and
	// UnmarshalBinary takes it back: what follows is the same to the last bit.
	// The receiver is a zero value, or was made for as many genes; the state's
	// settings replace its own. States are versioned; on anything else
	// UnmarshalBinary returns an error and leaves the receiver as it was.
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

// Steady is the ability of optimizers that need not wait for a whole generation. Where
// InFlight is above 1, Ask returns all candidates that are out, by their IDs, and as many
// as that at most; Tell takes the first of them alone, whereupon Ask may add another.
// What is asked depends on what was told and not on when.
type Steady[G any] interface {
	Optimizer[G]
	InFlight() int
}

// Centered is the ability of optimizers which sample around a point to say which.
type Centered[G any] interface {
	// Center returns the distribution's mean as a genome, worth a score of its
	// own once in a while; false before the first Tell.
	Center() (G, bool)
}
