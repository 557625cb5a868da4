// Package align finds in which order the units of a network stand so that it lies
// nearest to another one (Git Re-Basin: Ainsworth, Hayase & Srinivasa 2022,
// arXiv:2209.04836, weight matching).
//
// Hidden units, channels and heads may change places without changing what a network
// computes. A [Spec] says which do in a model of a family, and where in its tensors;
// [Match] and [Together] find the orders, reading numbers a tensor at a time;
// [Spec.On] shows a model in them. No data are needed, and nothing is trained.
//
// The same models, seed and options give the same orders, whatever the number of
// threads.
package align
