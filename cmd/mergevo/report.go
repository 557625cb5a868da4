package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/recipes"
)

// board is the table of scores.
type board struct {
	Parts   []string        `json:"parts"`
	Tasks   []string        `json:"tasks,omitempty"` // held-out tasks, shown one by one
	Entries []*entry        `json:"entries"`
	plain   map[string]bool // parts and tasks whose scores are not read in percent
}

// board makes the table; only the final one shows held-out scores.
func (a *arena) board(list []*entry, heldOut bool) board {
	b := board{Entries: list, plain: map[string]bool{}}
	for _, part := range parts {
		layout, _ := a.part(part)
		if len(layout) == 0 || part == onHeldOut && !heldOut {
			continue
		}
		b.Parts = append(b.Parts, part)
		for _, t := range layout {
			if !evaluate.Percent(a.metric(t.Task)) {
				b.plain[part], b.plain[t.Task] = true, true
			}
		}
		if part == onHeldOut {
			for _, t := range layout {
				b.Tasks = append(b.Tasks, t.Task)
			}
		}
	}
	return b
}

func (b board) text(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 4, 3, ' ', 0)
	head := []string{"mean score, %"}
	if len(b.plain) > 0 {
		head[0] = "mean score"
	}
	head = append(head, b.Parts...)
	for _, task := range b.Tasks {
		_, name, _ := strings.Cut(task, "/")
		head = append(head, name)
	}
	fmt.Fprintln(t, strings.Join(head, "\t"))
	short := b.briefly()
	for _, e := range b.Entries {
		name := cmp.Or(short[e.Name], e.Name)
		row := []string{name}
		for _, p := range b.Parts {
			row = append(row, b.cell(p, e.Parts[p]))
		}
		for _, task := range b.Tasks {
			if b.plain[task] {
				row = append(row, fmt.Sprintf("%.4f", e.Tasks[task]))
				continue
			}
			row = append(row, fmt.Sprintf("%.2f", 100*e.Tasks[task]))
		}
		if e.Error != "" {
			row = []string{name, "failed: " + e.Error}
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	_ = t.Flush()
	fmt.Fprintln(w)
}

// briefly shortens the names of the models among the entries.
func (b board) briefly() map[string]string {
	var refs []string
	for _, e := range b.Entries {
		if e.Parent {
			refs = append(refs, e.Name)
		}
	}
	return briefly(refs)
}

// cell is a part's score, in percent where all of its tasks are read so.
func (b board) cell(part string, i evaluate.Interval) string {
	if b.plain[part] {
		return fmt.Sprintf("%.4f ± %.4f", i.Mean, i.Half)
	}
	return percent(i)
}

func percent(i evaluate.Interval) string {
	return fmt.Sprintf("%.2f ± %.2f", 100*i.Mean, 100*i.Half)
}

// parentsEvent is what a search has to beat, scored before it begins.
type parentsEvent struct{ board }

func (parentsEvent) name() string { return "parents" }

// reportEvent is the end of a search.
type reportEvent struct {
	board
	Found   string                        `json:"found"`
	Recipe  string                        `json:"recipe"`
	Best    string                        `json:"best_baseline"`
	Gaps    map[string]*evaluate.Interval `json:"gap_to_best_baseline"`
	Written string                        `json:"written"`
	// AtTop are the genes at the upper ends of ranges that might be wider.
	AtTop []string `json:"at_top,omitempty"`
	// Ensemble is what a majority of the best candidates answers, if asked for.
	Ensemble *entry `json:"ensemble,omitempty"`
}

func (s *search) report(base []*entry, a *answer, written *recipes.Recipe) reportEvent {
	r := reportEvent{
		board: s.arena.board(append(base[:len(base):len(base)], a.entry), true), Found: a.from, Recipe: string(written.Marshal()),
		Gaps: map[string]*evaluate.Interval{}, Written: s.dir + "/best.yaml",
	}
	if f := s.opened.family; f != nil && s.niched == nil {
		r.AtTop = f.AtTop(s.box.Values(a.genome))
	}
	var best *entry
	for _, e := range base {
		if e.result.Err == nil && (best == nil || s.arena.notHeldOut(e) > s.arena.notHeldOut(best)) {
			best = e
		}
	}
	if best == nil {
		return r
	}
	r.Best = best.Name
	for _, part := range r.Parts {
		if g, ok := s.arena.gap(part, a.entry, best); ok {
			r.Gaps[part] = &g
		}
	}
	return r
}

// longRecipe is how many lines of a recipe are shown.
const longRecipe = 60

func (reportEvent) name() string { return "report" }

func (r reportEvent) text(w io.Writer) {
	// Where it comes from is in the file.
	recipe, _, _ := strings.Cut(r.Recipe, "\nprovenance:")
	recipe = strings.TrimRight(recipe, "\n")
	if n := strings.Count(recipe, "\n") + 1; n > longRecipe {
		recipe = fmt.Sprintf("a recipe of %d lines, in %s", n, r.Written)
	}
	fmt.Fprintf(w, "%s\n\n", recipe)
	table := r.board
	if r.Ensemble != nil {
		table.Entries = append(table.Entries[:len(table.Entries):len(table.Entries)], r.Ensemble)
	}
	table.text(w)
	last := r.Parts[len(r.Parts)-1]
	if g := r.Gaps[last]; g != nil {
		gap := fmt.Sprintf("%+.2f ± %.2f points", 100*g.Mean, 100*g.Half)
		if r.plain[last] {
			gap = fmt.Sprintf("%+.4f ± %.4f", g.Mean, g.Half)
		}
		fmt.Fprintf(w, "%s: %s (95 %% interval) to the best of the others:\n  %s\n", last, gap, cmp.Or(r.briefly()[r.Best], r.Best))
	}
	if len(r.AtTop) > 0 {
		fmt.Fprintf(w, "at the upper end of what was searched: %s; a larger high in {search: [low, high]} may find better\n", strings.Join(some(r.AtTop, 3), ", "))
	}
	fmt.Fprintf(w, "the recipe is in %s; apply it with:\n  mergevo apply %s --out DIR\n", r.Written, quote(r.Written))
}
