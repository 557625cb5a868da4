package main

import (
	"fmt"
	"io"
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
			return showMethod(out, m)
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

func showMethod(out io.Writer, m *merge.Method) error {
	base := "not used"
	if m.Base == merge.BaseRequired {
		base = "required"
	}
	models := fmt.Sprintf("%d or more", m.MinSources)
	if m.MaxSources > 0 {
		models = fmt.Sprintf("%d to %d", m.MinSources, m.MaxSources)
		if m.MinSources == m.MaxSources {
			models = fmt.Sprint(m.MinSources)
		}
	}
	fmt.Fprintf(out, "%s: %s\n\n  %s\n\nbase model  %s\nmodels      %s besides the base\nsource      %s\n\n", m.Name, m.Doc, m.Math, base, models, m.Cite)
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "parameter\tgiven\tdefault\trange\ta hole searches\tmeaning")
	for _, p := range m.Params {
		given, def := "once", fmt.Sprint(p.Default)
		if p.PerSource {
			given = "a model"
		}
		hole := fmt.Sprintf("[%g, %g] from %g", p.Low, p.High, p.Start)
		if p.Bool {
			def, hole = fmt.Sprint(p.Default != 0), "choose: [true, false]"
		}
		if p.Required {
			def = "required"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", p.Name, given, def, p.Range(), hole, p.Doc)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(m.Inert) > 0 {
		fmt.Fprintf(out, "\naccepted without effect: %s\n", strings.Join(m.Inert, ", "))
	}
	return nil
}
