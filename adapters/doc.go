// Package adapters merges LoRA adapters with each other, and cuts one out of a
// fine-tuned model.
//
// An adapter is a set of products s·BA, one a module of the base. What is merged are
// the products: their weighted sum is again a product, of the factors laid side by
// side, so that nothing is lost; of lower rank it is the nearest one that there is, by
// singular values. Averages of the factors themselves are another thing, and made only
// where a recipe asks for it.
package adapters
