// Package slope says in which direction a merge's parameters make it better: gradients of
// a loss on examples with respect to the coefficients of a merge, through the graph that
// merges, and the descent along them.
package slope
