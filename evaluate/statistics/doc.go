// Package statistics measures what a model's data ask of its weights: the diagonal of
// the Fisher information, and the Gram matrices of the inputs of linear layers. Examples
// stream through the device; memory does not depend on how many there are, and what was
// measured so far can be kept and continued.
package statistics
