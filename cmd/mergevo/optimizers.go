package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/evolve"
)

func newOptimizers() *cobra.Command {
	return &cobra.Command{
		Use:     "optimizers [NAME]",
		Short:   "List the optimizers, or show one",
		Long:    "Prints the table of optimizers and when to take which, or one's options, defaults and citation." + exits(exitUsage),
		Example: "  mergevo optimizers\n  mergevo optimizers cmaes",
		Args:    cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return optimizers(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			out := c.OutOrStdout()
			if len(args) == 0 {
				t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
				for _, a := range evolve.Optimizers() {
					fmt.Fprintf(t, "%s\t%s\n", a.Name, a.Use)
				}
				return t.Flush()
			}
			a, ok := evolve.LookupOptimizer(args[0])
			if !ok {
				return usage(fmt.Errorf("unknown optimizer %q; known: %s%s", args[0], strings.Join(optimizers(), ", "), meant(args[0], optimizers())))
			}
			return a.Describe(out)
		},
	}
}
