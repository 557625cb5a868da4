// Package evolvetest has what tests of optimizers need: Suite, the contract of
// evolve.Optimizer as tests, and objectives whose best points are known.
package evolvetest
