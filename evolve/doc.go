// Package evolve searches for the best point of a box by asking for candidates
// and being told their scores.
//
// A Box says what the genes mean; an Optimizer, one of the rows of Optimizers,
// proposes points of the unit cube; an Objective scores a population at once; Run
// turns the crank and yields an Event a generation, to be stored, drawn or
// printed. Bigger scores are better.
//
// Everything drawn is keyed by (seed, candidate ID) and every optimizer marshals
// its whole state, so a run can be repeated, and resumed to the last bit.
//
// The package knows nothing of tensors. Package evolvetest has the suite which
// every optimizer passes.
package evolve
