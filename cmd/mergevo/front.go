package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/mergevo/mergevo/evolve"
)

// frontEvent is the front of a search that trades tasks off: recipes none of which is
// beaten in every task by another.
type frontEvent struct {
	Tasks []string     `json:"tasks"`
	Front []frontPoint `json:"front"`
	// Hypervolume is of the front's scores on the search's examples, above 0.
	Hypervolume float64 `json:"hypervolume"`
}

type frontPoint struct {
	Candidate uint64             `json:"candidate"`
	Recipe    string             `json:"recipe"`
	Search    map[string]float64 `json:"search"`
	// Validation and HeldOut are its scores there, where there are such examples.
	Validation map[string]float64 `json:"validation,omitempty"`
	HeldOut    map[string]float64 `json:"held_out,omitempty"`
}

func (frontEvent) name() string { return "front" }

func (e frontEvent) text(w io.Writer) {
	fmt.Fprintf(w, "front of %d recipes, hypervolume %.4f:\n", len(e.Front), e.Hypervolume)
	t := tabwriter.NewWriter(w, 0, 4, 3, ' ', 0)
	head := []string{"recipe"}
	for _, part := range []string{onSearch, onHeldOut} {
		for _, task := range e.Tasks {
			if part == onSearch || len(e.Front) > 0 && e.Front[0].HeldOut[task] != 0 {
				head = append(head, task+", "+part)
			}
		}
	}
	fmt.Fprintln(t, strings.Join(head, "\t"))
	const most = 20
	for i, p := range e.Front {
		if n := len(e.Front); n > most && i*(most-1)/(n-1) == (i-1)*(most-1)/(n-1) && i > 0 {
			continue // some of them, spread over all
		}
		row := []string{p.Recipe}
		for _, h := range head[1:] {
			task, part, _ := strings.Cut(h, ", ")
			scores := p.Search
			if part == onHeldOut {
				scores = p.HeldOut
			}
			row = append(row, fmt.Sprintf("%.2f", 100*scores[task]))
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	_ = t.Flush()
	fmt.Fprintln(w)
}

// elitesFile has a line of JSON for each elite of the optimizer's archive.
const elitesFile = "elites.jsonl"

// elite is a line of it.
type elite struct {
	Candidate   uint64    `json:"candidate"`
	Descriptors []float64 `json:"descriptors"`
	Value       float64   `json:"value"`
}

// elites writes the optimizer's archive, if it keeps one, and says how full it is.
func (s *search) elites(v *voice) error {
	a, ok := s.optimizer.(evolve.Archived[[]float64])
	if !ok || a.Archive() == nil {
		return nil
	}
	var text bytes.Buffer
	for c := range a.Archive().All() {
		line, err := json.Marshal(elite{c.ID, c.Descriptors, c.Value})
		if err != nil {
			return err
		}
		text.Write(append(line, '\n'))
	}
	if err := s.store.WriteFile(elitesFile, text.Bytes()); err != nil {
		return err
	}
	stats := a.Archive().Stats()
	v.say("%s in %s: %.1f %% of the cells, QD score %.2f", count(stats.Elites, "elite"), s.dir+"/"+elitesFile, 100*stats.Coverage, stats.QDScore)
	return nil
}

// paretoFront writes the recipes of the front to the run's pareto folder, and reports
// them with their scores on what the search did not see.
func (s *search) paretoFront(ctx context.Context, v *voice) error {
	tasks := s.recipe.Search.Pareto
	if tasks == nil {
		return nil
	}
	var all []evolve.Scored[[]float64]
	for r, err := range s.store.Records() {
		if err != nil {
			return err
		}
		c := r.Scored
		s.facets(&c.Score, r.Tasks)
		c.Items = nil
		all = append(all, c)
	}
	e := frontEvent{Tasks: tasks}
	var entries []*entry
	var scores [][]float64
	for i, c := range evolve.Front(all) {
		spec, err := s.specOf(c.Genome)
		if err != nil {
			return err
		}
		recipe, err := s.fill(c.Genome, "pareto", "")
		if err == nil {
			recipe, err = s.placed(recipe, "pareto")
		}
		if err != nil {
			return err
		}
		name := fmt.Sprintf("pareto/%02d.yaml", i+1)
		if err := s.store.WriteFile(name, recipe.Marshal()); err != nil {
			return err
		}
		p := frontPoint{Candidate: c.ID, Recipe: s.dir + "/" + name, Search: map[string]float64{}}
		for k, task := range tasks {
			p.Search[task] = c.Objectives[k]
		}
		e.Front, entries = append(e.Front, p), append(entries, &entry{Name: name, spec: spec, genome: c.Genome})
		scores = append(scores, c.Objectives)
	}
	// A larger front of the same run, before it went on.
	for i := len(e.Front) + 1; os.Remove(filepath.Join(s.dir, fmt.Sprintf("pareto/%02d.yaml", i))) == nil; i++ {
	}
	e.Hypervolume = evolve.Hypervolume(scores, make([]float64, len(tasks)))
	if err := s.arena.mark(ctx, entries); err != nil {
		return err
	}
	for i, x := range entries {
		e.Front[i].Validation, e.Front[i].HeldOut = map[string]float64{}, map[string]float64{}
		for name, score := range x.Tasks {
			part, task, _ := strings.Cut(name, "/")
			switch part {
			case onValidation:
				e.Front[i].Validation[task] = score
			case onHeldOut:
				e.Front[i].HeldOut[task] = score
			}
		}
	}
	return v.tell(e)
}
