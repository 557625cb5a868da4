package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// table is what is printed: Markdown.
type table struct {
	evaluations int
	seed        uint64
	Beat, Rows  []row
	notes       []string
	refused     int
}

// row is a line of the table, with a cell a family.
type row struct {
	Method, Merges  string
	Genes           int
	Plain, Searched [2]string
	Over            [2]string // searched, less the best of what a search scores first
}

const nothing = "nothing to search"

// cell is a score, or a mark and a note that says why there is none; of a run that is
// ended it is nothing.
func (t *table) cell(what string, s score, err error) string {
	switch {
	case err == nil:
		return s.String()
	case errors.Is(err, context.Canceled):
		return ""
	}
	t.refused++
	return "refused" + t.note(what+": "+err.Error())
}

// failed notes the candidates of a search that had no score.
func (t *table) failed(what string, failed, evaluations int) {
	if failed > 0 {
		t.note(fmt.Sprintf("%s: %d of the search's %d candidates failed.", what, failed, evaluations))
	}
}

func (t *table) note(text string) (mark string) {
	t.notes = append(t.notes, strings.Join(strings.Fields(text), " "))
	return fmt.Sprintf(" (%d)", len(t.notes))
}

func (t *table) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Mean of the accuracies on upright and on turned digits, %%, of 4,000 held-out images,\nwith the 95 %% interval. Searches: CMA-ES, %d evaluations, seed %d.\n\n", t.evaluations, t.seed)
	b.WriteString("| method | merges | genes | MLP, defaults | MLP, searched | CNN, defaults | CNN, searched |\n|---|---|---:|---:|---:|---:|---:|\n")
	for _, r := range t.Beat {
		r.Method = "*" + r.Method + "*"
		r.print(&b)
	}
	for _, r := range t.Rows {
		r.print(&b)
	}
	b.WriteString("\nSearched, less the best by validation of the lines in italics: paired difference on the\nsame images, in points, with its 95 % interval.\n\n| method | merges | MLP | CNN |\n|---|---|---:|---:|\n")
	for _, r := range t.Rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.Method, r.Merges, r.Over[0], r.Over[1])
	}
	for i, n := range t.notes {
		if i == 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%d. %s\n", i+1, n)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r row) print(b *strings.Builder) {
	genes := ""
	if r.Genes > 0 {
		genes = fmt.Sprint(r.Genes)
	}
	cells := []string{r.Method, r.Merges, genes}
	for i := range r.Plain {
		cells = append(cells, r.Plain[i], r.Searched[i])
	}
	fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
}
