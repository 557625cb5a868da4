// Package spectral takes matrices apart by their singular values: those that a
// product of two thin factors has, exactly and without the product, and the largest
// ones of a matrix that is given whole.
//
// Everything is float64 and a function of its arguments alone: random starts are
// counters, sums run in an order that does not depend on the number of processors.
package spectral
