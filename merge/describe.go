package merge

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Describe writes the row for a person: mathematics, parameters, source.
func (m *Method) Describe(w io.Writer) error {
	fmt.Fprintf(w, "%s: %s\n\n  %s\n\nbase model  %s\nmodels      %s\nsource      %s\n", m.Name, m.Doc, m.Math, m.baseWords(), m.modelWords(), m.Cite)
	for _, n := range m.needs() {
		fmt.Fprintf(w, "%s\n", n)
	}
	if m.Deviation != "" {
		fmt.Fprintf(w, "unlike mergekit  %s\n", m.Deviation)
	}
	if m.Cost != "" {
		fmt.Fprintf(w, "what it costs  %s\n", m.Cost)
	}
	if len(m.Params) > 0 {
		fmt.Fprintln(w)
		t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		fmt.Fprintln(t, "parameter\tgiven\tdefault\trange\ta hole searches\tmeaning")
		for _, p := range m.Params {
			fmt.Fprintln(t, strings.Join(p.words(), "\t"))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	if len(m.Inert) > 0 {
		fmt.Fprintf(w, "\naccepted without effect: %s\n", strings.Join(m.Inert, ", "))
	}
	return nil
}

func (m *Method) baseWords() string {
	switch m.Base {
	case BaseRequired:
		return "required"
	case BaseOptional:
		return "optional: with one, task vectors are merged"
	}
	return "not used"
}

func (m *Method) modelWords() string {
	n := fmt.Sprintf("%d or more", m.MinSources)
	switch {
	case m.MaxSources == m.MinSources:
		n = fmt.Sprint(m.MinSources)
	case m.MaxSources > 0:
		n = fmt.Sprintf("%d to %d", m.MinSources, m.MaxSources)
	}
	if m.Base != BaseUnused {
		n += " besides the base"
	}
	return n
}

// words are a parameter's name, who gives it, its default, range, search bounds and
// meaning.
func (p Param) words() []string {
	name, given, def := p.Name, "once", fmt.Sprint(p.Default)
	if p.Aliases != nil {
		name += " (or " + strings.Join(p.Aliases, ", ") + ")"
	}
	if p.PerSource {
		given = "a model"
	}
	hole := fmt.Sprintf("[%g, %g] from %g", p.Low, p.High, p.Start)
	switch {
	case p.Bool:
		def, hole = fmt.Sprint(p.Default != 0), "choose: [true, false]"
	case p.Choices != nil:
		def, hole = p.Choices[int(p.Default)], "choose: ["+strings.Join(p.Choices, ", ")+"]"
	case p.Low >= p.High:
		hole = "none by default"
	}
	if p.Fixed {
		hole = "never"
	}
	if p.Required {
		def = "required"
	}
	return []string{name, given, def, p.Range(), hole, p.Doc}
}

// MethodsMarkdown is docs/methods.md: the table as a page.
func MethodsMarkdown() string {
	var b strings.Builder
	b.WriteString(`# Merge methods

This page is written by the program from its table of methods: do not edit it. The
same rows give ` + "`mergevo methods NAME`" + `, the checks of recipes and the bounds of
searches.

x_i is model i, b the base, d_i = x_i - b its task vector, w_i its weight; all of one
tensor with n entries. Everything is computed in float32, solved in float64 where an
angle or a quotient is solved for, and rounded once to the output's type.

| method | what it does | base | models |
|---|---|---|---|
`)
	for _, m := range Methods() {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s |\n", m.Name, m.Name, cell(m.Doc), cell(strings.SplitN(m.baseWords(), ":", 2)[0]), cell(m.modelWords()))
	}
	for _, m := range Methods() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n    %s\n\nBase model: %s. Models: %s. Source: %s.\n", m.Name, m.Doc, m.Math, m.baseWords(), m.modelWords(), m.Cite)
		for _, n := range m.needs() {
			fmt.Fprintf(&b, "\n%s\n", sentence(n))
		}
		if m.Deviation != "" {
			fmt.Fprintf(&b, "\nUnlike mergekit: %s\n", m.Deviation)
		}
		if m.Cost != "" {
			fmt.Fprintf(&b, "\nWhat it costs: %s.\n", m.Cost)
		}
		if len(m.Params) > 0 {
			b.WriteString("\n| parameter | given | default | range | a hole searches | meaning |\n|---|---|---|---|---|---|\n")
			for _, p := range m.Params {
				words := p.words()
				for i := range words {
					words[i] = cell(words[i])
				}
				fmt.Fprintf(&b, "| %s |\n", strings.Join(words, " | "))
			}
		}
		if len(m.Inert) > 0 {
			fmt.Fprintf(&b, "\nAccepted without effect, as mergekit does: %s.\n", strings.Join(m.Inert, ", "))
		}
	}
	return b.String()
}

// needs are lines on what a method reads besides the models, and what it costs.
func (m *Method) needs() []string {
	var lines []string
	if s := m.Statistic; s != nil {
		lines = append(lines, fmt.Sprintf("each model needs %s: %s; %s writes such files", s.Name+": FILE", s.Doc, s.Command))
	}
	if m.Solve != nil {
		lines = append(lines, "whole tensors are solved for on the host: once where no parameter is searched, else for each candidate")
	}
	return lines
}

// sentence makes a line of a table one of a text.
func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] + "." }

// cell keeps a text from ending a table's cell.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
