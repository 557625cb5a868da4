package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

func newGram() *cobra.Command {
	m := &measuring{kind: merge.GramMatrices}
	progressive := false
	c := &cobra.Command{
		Use:   "gram MODEL|RECIPE --tasks FILE",
		Short: "Measure the inputs of a model's linear layers",
		Long: `Writes, for each linear layer and convolution of the model, the Gram matrix
X^T X / n of its n inputs on the examples of tasks: images, tokens of texts, or the
patches of a convolution; labels are not read. The merge method regmean reads such a
file for each model, which a recipe names beside it.

A layer with in inputs has a matrix [in, in] of float32, by its weight's name; a weight
that is kept as [in, out] has a ^T behind it. The head that turns a language model's
vectors into logits has none. When the measurement is interrupted, the same command
continues.

With --progressive all files that a recipe of regmean names are measured along with the
merge, layer by layer: what a layer is given is what the merged layers before it make
of each model's examples (RegMean++). Holes have the values that they start at. --tasks is
given once for all models, or once for each in the recipe's order.` + exits(exitFailed, exitUsage, exitInterrupted),
		Example: `  mergevo gram testdata/mnist/mlp/low.safetensors --tasks testdata/mnist/search.yaml --out low.gram.safetensors
  mergevo gram regmean.yaml --progressive --tasks low.yaml --tasks high.yaml`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if progressive {
				return m.progress(c, args[0])
			}
			return m.run(c, args[0], "inputs", func(ctx context.Context, _ tensors.Source) error {
				return m.network.Grams(ctx, m.sets, m.out, m.metadata, m.options)
			})
		},
	}
	m.flags(c)
	c.Flags().BoolVar(&progressive, "progressive", false, "measure the files that a recipe names, on what its merged layers make of the examples")
	return c
}
