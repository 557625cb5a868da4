package evolve

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Describe writes the row for a person: what it does, when to take it, its options.
func (a Algorithm) Describe(w io.Writer) error {
	fmt.Fprintf(w, "%s: %s\n\nfor         %s\npopulation  %s\n", a.Name, a.Doc, a.Use, a.populationWords())
	if a.Cite != "" {
		fmt.Fprintf(w, "source      %s\n", a.Cite)
	}
	if len(a.Options) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "option\tdefault\tvalues\tmeaning")
	for _, o := range a.Options {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", o.Name, o.Default, o.values(), o.Doc)
	}
	return t.Flush()
}

func (a Algorithm) populationWords() string {
	if a.Population == "" {
		return "its own"
	}
	return a.Population + " by default"
}

// values says what an option may be.
func (o Option) values() string {
	switch {
	case o.Text:
		return "text"
	case o.List:
		return "list of words"
	case o.Words != nil:
		return strings.Join(o.Words, ", ")
	}
	kind := ""
	if o.Int {
		kind = "whole, "
	}
	return fmt.Sprintf("%s%g to %g", kind, o.Min, o.Max)
}

// OptimizersMarkdown is the part of docs/optimizers.md that the rows say.
func OptimizersMarkdown() string {
	var b strings.Builder
	b.WriteString("| optimizer | take it for | candidates a generation | trades off tasks | uses descriptors |\n|---|---|---|---|---|\n")
	yes := func(b bool) string {
		if b {
			return "yes"
		}
		return ""
	}
	for _, a := range Optimizers() {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s | %s |\n", a.Name, a.anchor(), cell(a.Use), cell(a.populationWords()), yes(a.Front), yes(a.Descriptors))
	}
	for _, a := range Optimizers() {
		fmt.Fprintf(&b, "\n### %s\n\n%s", a.Name, a.Doc)
		if a.Cite != "" {
			fmt.Fprintf(&b, " Source: %s.", a.Cite)
		}
		b.WriteString("\n")
		if len(a.Options) > 0 {
			b.WriteString("\n| option | default | values | meaning |\n|---|---|---|---|\n")
		}
		for _, o := range a.Options {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", o.Name, o.Default, cell(o.values()), cell(o.Doc))
		}
	}
	return b.String()
}

// anchor is the heading's name in a page.
func (a Algorithm) anchor() string { return strings.ReplaceAll(a.Name, "+", "") }

// cell keeps a text from ending a table's cell.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
