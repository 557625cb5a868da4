// Package merge says how K models become one: once, for a chunk on the host
// and for a population on the device.
//
// A merge method is a row of [Methods]: its name, its parameters with their
// ranges, its citation, and its mathematics in two halves. Coef turns the
// parameters of one tensor into a few numbers, on the host in float64. Mix is
// an elementwise graph over [P, N] that combines the sources with those
// numbers. Between them stands a [Profile]: what has to be measured on a tensor
// before any number is known (its cut points, its Gram matrix, the L1 mass that
// a noise mask keeps).
//
// The same two halves run in two ways. [Apply] streams a checkpoint through
// them with P=1 and N=chunk, in bounded memory. A [Population] keeps the parents
// on the device and makes the weights of P candidates inside any graph, so that
// nothing of model size crosses to the host. Both give the same bits, because
// Mix holds no reduction: sources are unrolled in the recipe's order.
package merge
