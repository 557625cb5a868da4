package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

func newGram() *cobra.Command {
	m := &measuring{kind: merge.GramMatrices}
	c := &cobra.Command{
		Use:   "gram MODEL --tasks FILE --out FILE",
		Short: "Measure the inputs of a model's linear layers",
		Long: `Writes, for each linear layer and convolution of the model, the Gram matrix
X^T X / n of its n inputs on the examples of tasks: images, tokens of texts, or the
patches of a convolution; labels are not read. The merge method regmean reads such a
file for each model, which a recipe names beside it.

A layer with in inputs has a matrix [in, in] of float32, by its weight's name; a weight
that is kept as [in, out] has a ^T behind it. The head that turns a language model's
vectors into logits has none. When the measurement is interrupted, the same command
continues.` + exits(exitFailed, exitUsage, exitInterrupted),
		Example: "  mergevo gram testdata/mnist/mlp/low.safetensors --tasks testdata/mnist/search.yaml --out low.gram.safetensors",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return m.run(c, args[0], "inputs", func(ctx context.Context, _ tensors.Source) error {
				return m.network.Grams(ctx, m.sets, m.out, m.metadata, m.options)
			})
		},
	}
	m.flags(c)
	return c
}
