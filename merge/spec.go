package merge

import "github.com/mergevo/mergevo/tensors"

// Spec says exactly one merge of a set of parents: what a recipe without holes
// becomes once its models are open.
type Spec struct {
	Method *Method
	// Base is the base model's position among the parents, -1 without one.
	Base int
	// Inputs are the sources' positions among the parents, in recipe order. The
	// order is part of the merge: sums run over it and noise is keyed by it.
	Inputs []int
	// Seed keys the noise of stochastic methods.
	Seed uint64
	// DType is the type merged tensors are rounded to; 0 keeps the stored type.
	DType tensors.DType
	// Params returns the parameters of one tensor: the global ones, and those of
	// each input in order.
	Params func(tensor string) (global Values, source []Values)
}
