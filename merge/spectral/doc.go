// Package spectral takes matrices apart by their singular values: those that a
// product of two thin factors has, exactly and without the product, and the largest
// ones of a matrix that is given whole.
//
// The methods of singular values (package merge, spectrum.go) go another way, by the
// eigenvectors of Gram matrices, and the two stay two. Adapters are cut where rounding
// noise begins, which of float32 models is below 1e-6 of the largest singular value, and
// they need a few of the largest or those of thin factors. On a matrix of 1,024 columns
// whose singular values fall to 1e-10, values of 1e-5, 1e-7 and 1e-9 of the largest come
// with relative errors of 2e-14, 9e-13 and 3e-10 here, and of 1.5e-8, 4e-3 and 1.5 by a
// Gram matrix; the 32 largest take 0.15 s of processor time here and 0.5 s there. For all
// directions it is 10.3 s here and 0.5 s there, which is why merges, which need all, read
// their matrices in blocks and leave out what is below 1e-6, do not come here.
//
// Everything is float64 and a function of its arguments alone: random starts are
// counters, sums run in an order that does not depend on the number of processors.
package spectral
