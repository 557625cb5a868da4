package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/merge"
)

func newMethods() *cobra.Command {
	return &cobra.Command{
		Use:     "methods [NAME]",
		Short:   "List the merge methods, or show one",
		Long:    "Prints the table of merge methods, or one method's mathematics, parameters, ranges and citation." + exits(exitUsage),
		Example: "  mergevo methods\n  mergevo methods ties",
		Args:    cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return methodNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			out := c.OutOrStdout()
			if len(args) == 0 {
				t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
				for _, m := range merge.Methods() {
					fmt.Fprintf(t, "%s\t%s\n", m.Name, m.Doc)
				}
				return t.Flush()
			}
			m, ok := merge.Lookup(args[0])
			if !ok {
				return usage(fmt.Errorf("unknown method %q; known: %s%s", args[0], strings.Join(methodNames(), ", "), meant(args[0], methodNames())))
			}
			return m.Describe(out)
		},
	}
}

func methodNames() []string {
	var names []string
	for _, m := range merge.Methods() {
		names = append(names, m.Name)
	}
	return names
}
