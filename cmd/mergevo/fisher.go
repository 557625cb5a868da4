package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/evaluate/statistics"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

func newFisher() *cobra.Command {
	m := &measuring{kind: merge.Fisher}
	var labels statistics.Labels
	c := &cobra.Command{
		Use:   "fisher MODEL --tasks FILE --out FILE",
		Short: "Measure which of a model's weights its data ask for",
		Long: `Writes the diagonal of the model's Fisher information on the examples of tasks: for
each weight the mean of the squares of d log p(y|x) / dw, over examples x and answers
y, each by itself. Answers are weighed by what the model gives them: exactly over the
classes of a classification and the options of a choice; of texts (perplexity) each
token is drawn from the model. The merge method fisher reads such a file for each
model, which a recipe names beside it.

The file has a tensor for each of the model's, in float32; weights that no answer
depends on have 0. Where memory is short tensors are measured in parts, about eight at the most, which
each go through all examples. When the measurement is interrupted, the same command continues.` + exits(exitFailed, exitUsage, exitInterrupted),
		Example: "  mergevo fisher testdata/mnist/mlp/low.safetensors --tasks testdata/mnist/search.yaml --out low.fisher.safetensors",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if labels.Samples < 1 {
				return usage(fmt.Errorf("--samples %d: want 1 or more", labels.Samples))
			}
			settings := "expected"
			if labels.Given {
				settings = "given"
			} else if labels.Samples > 1 || labels.Seed > 0 {
				settings = fmt.Sprintf("expected, %d samples, seed %d", labels.Samples, labels.Seed)
			}
			return m.run(c, args[0], settings, func(ctx context.Context, source tensors.Source) error {
				return m.network.Fisher(ctx, m.sets, labels, source, m.out, m.metadata, m.options)
			})
		},
	}
	m.flags(c)
	c.Flags().IntVar(&labels.Samples, "samples", 1, "draws of each token, of texts")
	c.Flags().Uint64Var(&labels.Seed, "seed", 0, "seed of the draws")
	c.Flags().BoolVar(&labels.Given, "empirical", false, "take the answers in the data instead of the model's: the empirical Fisher information")
	return c
}
