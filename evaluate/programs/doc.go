// Package programs scores candidates by programs outside: any that reads a checkpoint,
// and lm-evaluation-harness, to which the candidate is served. A program that fails,
// hangs or answers what is no answer is its candidate's failure; one that cannot be
// started ends the search.
package programs
