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
	bench      *bench
	examples   int // held out
	Beat, Rows []row
	notes      []string
	refused    int
}

// cells are a score and its differences to the average and to the best λ.
type cells [3]string

// row is a line of the table.
type row struct {
	Method, Merges  string
	Genes           int
	Plain, Searched cells
}

const nothing = "nothing to search"

// cell is a score, or a mark and a note that says why there is none; of a run that is
// ended it is nothing.
func (t *table) cell(what string, o outcome, err error) (c cells) {
	switch {
	case err == nil:
		c[0] = o.score.String()
		for i, g := range o.gaps {
			c[1+i] = g.signed()
		}
	case !errors.Is(err, context.Canceled):
		t.refused++
		c[0] = "refused" + t.note(what+": "+err.Error())
	}
	return c
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

// tasksNamed are the names of the held-out tasks.
func (t *table) tasksNamed() string {
	var names []string
	for _, task := range t.bench.family.HeldOut {
		names = append(names, fmt.Sprint(task["name"]))
	}
	return strings.Join(names, ", ")
}

func (t *table) print(w io.Writer) error {
	var s strings.Builder
	b := t.bench
	fmt.Fprintf(&s, "%s: mean score over %s, %%, of %d held-out answers, with the 95 %% interval;\ndifferences are paired. Searches: %d evaluations, %s, seed %d; refine: %d steps.\n\n",
		b.family.Name, t.tasksNamed(), t.examples, b.evaluations, strings.ReplaceAll(strings.TrimPrefix(b.cmaes(), "name: "), ":", ""), b.seed, b.steps)
	gaps := 1
	head := []string{"method", "merges", "genes", "defaults", "to the average"}
	if b.family.Base != "" {
		gaps, head = 2, append(head, "to the best λ")
	}
	head = append(append(head, "searched"), head[4:]...)
	fmt.Fprintf(&s, "| %s |\n|---|---|%s\n", strings.Join(head, " | "), strings.Repeat("---:|", len(head)-2))
	for _, r := range t.Beat {
		r.Method = "*" + r.Method + "*"
		r.print(&s, gaps)
	}
	for _, r := range t.Rows {
		r.print(&s, gaps)
	}
	for i, n := range t.notes {
		if i == 0 {
			s.WriteString("\n")
		}
		fmt.Fprintf(&s, "%d. %s\n", i+1, n)
	}
	_, err := io.WriteString(w, s.String())
	return err
}

func (r row) print(s *strings.Builder, gaps int) {
	genes := ""
	if r.Genes > 0 {
		genes = fmt.Sprint(r.Genes)
	}
	list := []string{r.Method, r.Merges, genes}
	list = append(list, r.Plain[:1+gaps]...)
	list = append(list, r.Searched[:1+gaps]...)
	fmt.Fprintf(s, "| %s |\n", strings.Join(list, " | "))
}
