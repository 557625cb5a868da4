package main

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/recipes"
)

func newExplain() *cobra.Command {
	var missing string
	var asJSON, offline bool
	c := &cobra.Command{
		Use:   "explain FILE [TENSORS...]",
		Short: "Show what a recipe gives each tensor, and from which line",
		Long: `Shows for each tensor its method and each model's weight, density and so on, after
precedence, filters, gradients and normalization, with the line of the recipe that
each came from. TENSORS are parts of names, or patterns with *; with them, every
parameter is shown. Holes are shown at their start. No weight is read.` + exits(exitFailed, exitUsage),
		Example: "  mergevo explain ties.yaml\n  mergevo explain ties.yaml layers.3 'model.*.mlp.up_proj.weight'",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			v := &voice{out: c.OutOrStdout(), err: c.ErrOrStderr(), json: asJSON}
			patterns := args[1:]
			used, names := make([]bool, len(patterns)), []string{}
			err := lookInto(c, args[0], missing, offline, func(r *recipes.Recipe, op *opened, last bool) error {
				list, err := explained(op.family, patterns, used)
				names = append(names, op.family.Tensors()...)
				if err != nil || len(list) == 0 {
					return err
				}
				if asJSON {
					for _, e := range list {
						if err := v.tell(explanation{r.Name(), e}); err != nil {
							return err
						}
					}
					return nil
				}
				if !last {
					fmt.Fprintf(v.out, "document %s: ", r.Name())
					defer fmt.Fprintln(v.out)
				}
				if len(patterns) > 0 {
					return explainFully(v.out, list)
				}
				return explainTable(v.out, list)
			})
			if i := slices.Index(used, false); err == nil && i >= 0 {
				err = usage(fmt.Errorf("no tensor's name holds %q%s", patterns[i], meant(patterns[i], names)))
			}
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print a line of JSON for each tensor")
	addMissing(c, &missing)
	addOffline(c, &offline)
	return c
}

// explanation is what a tensor gets in a document of a file.
type explanation struct {
	Document string `json:"document,omitempty"`
	recipes.Explanation
}

func (explanation) name() string     { return "tensor" }
func (explanation) text(w io.Writer) {}

// explained is what a family says of the tensors that any of the patterns match; it
// marks those that were used.
func explained(f *recipes.Family, patterns []string, used []bool) ([]recipes.Explanation, error) {
	values := f.Box().Values(f.Box().Start())
	var out []recipes.Explanation
	for _, name := range f.Tensors() {
		match := len(patterns) == 0
		for i, p := range patterns {
			hit := strings.Contains(name, p)
			if whole, err := path.Match(p, name); err == nil && whole {
				hit = true
			}
			used[i] = used[i] || hit
			match = match || hit
		}
		if !match {
			continue
		}
		e, err := f.Explain(values, name)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// explainTable writes a row for each tensor; a value's line follows its colon.
func explainTable(out io.Writer, list []recipes.Explanation) error {
	var refs []string
	seen := map[string]bool{}
	for _, e := range list {
		for _, m := range e.Models {
			if !seen[m.Ref] {
				seen[m.Ref] = true
				refs = append(refs, m.Ref)
			}
		}
	}
	short := briefly(refs)
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(out, "%s; VALUE:LINE, * a hole at its start; without a line, the default\n", list[0].Method)
	base := list[0].Base
	if slices.ContainsFunc(list, func(e recipes.Explanation) bool { return e.Base != base }) {
		base = "" // slices have their own
	}
	if base != "" {
		fmt.Fprintf(out, "base %s\n", base)
	}
	for _, e := range list {
		cells := []string{e.Tensor}
		if e.Base != base {
			cells = append(cells, "base "+e.Base)
		}
		for _, m := range e.Models {
			name := short[m.Ref]
			if name == "" {
				name = m.Ref
			}
			if m.Tensor != e.Tensor {
				name += " (" + m.Tensor + ")"
			}
			for _, p := range m.Params {
				name += " " + p.Name + " " + stated(p)
			}
			if e.Normalized && e.WeightSum != 0 || e.Pieces != nil {
				name += fmt.Sprintf(" = %.4g", m.Share)
			}
			cells = append(cells, name)
		}
		for _, p := range e.Shared {
			if p.Line > 0 {
				cells = append(cells, p.Name+" "+stated(p))
			}
		}
		if e.Pieces != nil {
			cells = append(cells, "on average of "+count(len(e.Pieces), "piece"))
		}
		if e.Cancels() {
			cells = append(cells, fmt.Sprintf("SUM OF WEIGHTS %.3g", e.WeightSum))
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return t.Flush()
}

func stated(p recipes.Stated) string {
	text := p.Text()
	if p.Hole {
		text += "*"
	}
	if p.Line > 0 {
		text += fmt.Sprintf(":%d", p.Line)
	}
	return text
}

// explainFully writes every parameter of each tensor.
func explainFully(out io.Writer, list []recipes.Explanation) error {
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	origin := func(p recipes.Stated) string {
		switch {
		case p.Line == 0:
			return "default"
		case p.Hole:
			return fmt.Sprintf("line %d, a hole at its start", p.Line)
		}
		return fmt.Sprintf("line %d", p.Line)
	}
	for i, e := range list {
		if i > 0 {
			fmt.Fprintln(t)
		}
		fmt.Fprintf(t, "%s\t%s\n", e.Tensor, e.Method)
		if e.Base != "" {
			fmt.Fprintf(t, "  base\t%s%s\n", e.Base, unlike(e.BaseTensor, e.Tensor))
		}
		for _, p := range e.Shared {
			fmt.Fprintf(t, "  %s\t%s\t%s\n", p.Name, p.Text(), origin(p))
		}
		by := ""
		if e.Unsigned {
			by = " by the sum of magnitudes"
		}
		for _, m := range e.Models {
			fmt.Fprintf(t, "  %s%s\n", m.Ref, unlike(m.Tensor, e.Tensor))
			for _, p := range m.Params {
				fmt.Fprintf(t, "    %s\t%s\t%s\n", p.Name, p.Text(), origin(p))
			}
			if e.Normalized && e.WeightSum != 0 {
				fmt.Fprintf(t, "    share\t%.6g\tafter normalization%s\n", m.Share, by)
			}
		}
		from := 0
		for _, p := range e.Pieces {
			fmt.Fprintf(t, "  weights %d to %d\t%.6g\n", from, p.End-1, p.Shares)
			from = p.End
		}
		if e.Cancels() {
			fmt.Fprintf(t, "  the weights sum to %.3g, next to nothing: the quotient is many times the models\n", e.WeightSum)
		}
	}
	return t.Flush()
}

// unlike names a tensor where it is called something else.
func unlike(name, as string) string {
	if name == as {
		return ""
	}
	return ", its " + name
}
