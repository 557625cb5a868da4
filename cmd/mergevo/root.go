package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mergevo/mergevo/recipes"
)

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "mergevo",
		Short: "Merge models, and evolve the recipes that merge them",
		Long: `mergevo merges safetensors checkpoints by a recipe, and evolves recipes:
a recipe with holes goes in, evolution fills the holes, a recipe without
holes comes out, and applying it writes a model.`,
		Example: `  mergevo search testdata/mnist/search.yaml
  mergevo apply runs/search-1/best.yaml --out merged`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          subcommand,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		var hint string
		if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
			if hint = pastedHint(unknown.GetSpecifiedName()); hint == "" {
				hint = meant("--"+unknown.GetSpecifiedName(), flagNames(c))
			}
		}
		return usage(fmt.Errorf("%w%s\nhint: %s --help", err, hint, c.CommandPath()))
	})
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(newInit(), newSearch(), newApply(), newEval(), newCheck(), newExplain(), newInspect(), newExtract(), newMoE(), newAlign(), newMethods(), newOptimizers(), newTokenize(), newFisher(), newGram(), newRefine(), newRuns(), newXLA(), newCompletion(), newVersion(), newWorker())
	wrapArgs(root)
	return root
}

// subcommand refuses arguments of a command that only has subcommands: what is left
// there is none of them.
func subcommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return fmt.Errorf("unknown command %q; known: %s%s", args[0], strings.Join(names, ", "), meant(args[0], names))
}

// meant is a line that names what is nearest to a misspelt word, or nothing.
func meant(word string, known []string) string {
	if hint := recipes.DidYouMean(word, known); hint != "" {
		return "\nhint: " + hint
	}
	return ""
}

func flagNames(c *cobra.Command) []string {
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	return names
}

// wrapArgs makes a wrong number of arguments, or a misspelt subcommand, a usage error.
func wrapArgs(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usage(fmt.Errorf("%w\nusage: %s\nhint: %s --help", err, c.UseLine(), c.CommandPath()))
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		wrapArgs(sub)
	}
}
