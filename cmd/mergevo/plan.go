package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/programs"
	"github.com/mergevo/mergevo/merge"
)

// planEvent is what a search is about to do.
type planEvent struct {
	Recipe      string    `json:"recipe"`
	Methods     []string  `json:"methods"`
	Models      []string  `json:"models"`
	Genes       []gene    `json:"genes"`
	Kind        string    `json:"individuals,omitempty"`
	Flat        int64     `json:"weights_in_flat_order,omitempty"`
	Chromosomes int       `json:"chromosomes,omitempty"`
	Settings    settings  `json:"settings"`
	Generations int       `json:"generations,omitempty"`
	Tasks       []taskUse `json:"tasks"`
	Parents     int64     `json:"parents_bytes"`
	Peak        int64     `json:"peak_bytes"`
	// Placement is where the parents lie, Memory what everything takes, Limit how much
	// may be taken of the device, if that is known.
	Placement merge.Placement `json:"placement"`
	Memory    evaluate.Memory `json:"memory"`
	Limit     int64           `json:"memory_limit,omitempty"`
	Shapes    plans           `json:"shapes"`
	// Scratch is what a candidate takes on disk, of programs that read it.
	Scratch  int64        `json:"scratch_bytes,omitempty"`
	Programs []programUse `json:"programs,omitempty"`
	// Devices are those that have a process each.
	Devices []string `json:"devices,omitempty"`
	Notes   []string `json:"notes,omitempty"`

	host    int64 // of the peak, where the host's memory is apart
	lowered bool
}

type gene struct {
	Name  string  `json:"name"`
	Lo    float64 `json:"lo"`
	Hi    float64 `json:"hi"`
	Start float64 `json:"start"`
}

type taskUse struct {
	Name       string  `json:"name"`
	Weight     float64 `json:"weight"`
	Search     int     `json:"search,omitempty"`
	Validation int     `json:"validation,omitempty"`
	HeldOut    int     `json:"held_out,omitempty"`
	// Program says that a program has the examples, which it tells when it is run.
	Program bool `json:"program,omitempty"`
}

func (s *search) plan() planEvent {
	p := planEvent{
		Recipe: s.file, Methods: s.recipe.MethodNames(), Models: s.recipe.Models(), Settings: s.settings,
		Parents: s.opened.resident(), Notes: slices.Concat(s.recipe.Notes(), costs(s.recipe)),
	}
	p.Settings.Box = nil // the genes say it
	if f := s.opened.family.Flat(); f != nil {
		p.Kind, p.Flat, p.Chromosomes = "segments", f.Len(), len(f.Chromosomes)
		if s.recipe.Init != nil {
			p.Kind = "networks"
		}
	}
	for _, g := range s.box {
		x := gene{Name: g.Name, Lo: g.Lo, Hi: g.Hi, Start: g.Start}
		if g.Choices > 0 {
			x.Hi = float64(g.Choices - 1)
		}
		p.Genes = append(p.Genes, x)
	}
	if s.settings.Evaluations > 0 {
		p.Generations = s.settings.Evaluations / s.settings.Population
	}
	at := map[string]int{}
	use := func(d *evaluate.Dataset) *taskUse {
		i, ok := at[d.Name]
		if !ok {
			i = len(p.Tasks)
			at[d.Name] = i
			p.Tasks = append(p.Tasks, taskUse{Name: d.Name, Weight: s.recipe.Search.Weight(d.Name)})
		}
		return &p.Tasks[i]
	}
	for _, d := range s.exams.search {
		use(d).Search += d.Len()
	}
	for _, d := range s.exams.validation {
		use(d).Validation += d.Len()
	}
	for _, d := range s.exams.heldOut {
		use(d).HeldOut += d.Len()
	}
	p.Programs = programsOf(s.recipe.Search, filepath.Dir(s.file))
	for _, t := range s.exams.panel.Tasks {
		for _, name := range t.Scores() {
			p.Tasks = append(p.Tasks, taskUse{Name: name, Weight: s.recipe.Search.Weight(name), Program: true})
		}
		if _, ok := t.Asker.(*programs.OnCheckpoint); ok {
			p.Scratch = bytesOf(merge.Layout(s.spec, s.opened.parents))
		}
	}
	if s.model == nil {
		p.Parents = 0
		return p // candidates are written, not kept
	}
	in := s.settled
	p.Devices = s.devices
	p.Peak, p.host = in.room.peak(in.memory)
	p.Placement, p.Memory, p.Shapes, p.lowered = in.place, in.memory, in.plans, in.lowered
	if in.room.device < math.MaxInt64 {
		p.Limit = in.room.device
	}
	return p
}

func (planEvent) name() string { return "plan" }

func (p planEvent) text(w io.Writer) {
	short := briefly(p.Models)
	models := make([]string, len(p.Models))
	for i, m := range p.Models {
		models[i] = cmp.Or(short[m], m)
	}
	line(w, "method", p.Methods...)
	line(w, "models", some(models, 12)...)
	if p.Flat > 0 {
		line(w, p.Kind, "of "+count(int(p.Flat), "weight")+" in flat order", count(p.Chromosomes, "chromosome"))
	} else {
		line(w, "genes", append([]string{strconv.Itoa(len(p.Genes))}, some(geneList(p.Genes), 6)...)...)
	}
	line(w, "optimizer", p.Settings.optimizer()...)
	line(w, "budget", p.Settings.budget()...)
	head := "tasks"
	for _, t := range p.Tasks {
		if t.Program {
			line(w, head, t.Name+": scored by a program")
			head = ""
			continue
		}
		line(w, head, fmt.Sprintf("%s: %d examples to search on", t.Name, t.Search), fmt.Sprintf("%d to choose on", t.Validation), fmt.Sprintf("%d held out", t.HeldOut))
		head = ""
	}
	tellPrograms(w, p.Programs)
	if p.Peak > 0 {
		p.memory(w)
	}
	if p.Scratch > 0 {
		line(w, "disk", size(p.Scratch)+" for the candidate that a program reads")
	}
	for _, n := range p.Notes {
		line(w, "note", n)
	}
	fmt.Fprintln(w)
}

// memory says in words what takes the room: each thing that is a percent of it or more.
func (p planEvent) memory(w io.Writer) {
	parts := []string{"about " + size(p.Peak)}
	if p.Limit > 0 {
		parts[0] += " of " + size(p.Limit)
	}
	if p.host > 0 {
		parts = append(parts, size(p.host)+" of the host's")
	}
	parts = append(parts, size(p.Parents)+" of parents "+where(p.Placement))
	if len(p.Devices) > 1 {
		parts = append(parts, fmt.Sprintf("in each of %d processes", len(p.Devices)))
	}
	if p.lowered {
		parts = append(parts, "made smaller to fit: "+p.Shapes.Report.String())
	}
	line(w, "memory", parts...)
	var rest int64
	for _, l := range p.Memory {
		switch {
		case l.What == "parents":
		case 100*l.Bytes < p.Peak:
			rest += l.Bytes
		default:
			fmt.Fprintf(w, "%12s%10s  %s\n", "", size(l.Bytes), strings.TrimSpace(l.What+during(l)))
		}
	}
	if rest > 0 {
		fmt.Fprintf(w, "%12s%10s  the rest\n", "", size(rest))
	}
}

// during says when and where a line's memory is taken, if that is not always and not
// on the device.
func during(l evaluate.MemoryLine) (text string) {
	if l.Where != merge.OnDevice {
		text = " " + where(l.Where)
	}
	if l.During != "" {
		text += ", while " + l.During
	}
	return text
}

// optimizer says in words what searches.
func (s settings) optimizer() []string {
	return []string{s.Optimizer, fmt.Sprintf("population %d", s.Population), fmt.Sprintf("seed %d", s.Seed)}
}

// budget says in words what ends the search.
func (s settings) budget() []string {
	var parts []string
	if s.Evaluations > 0 {
		parts = append(parts, count(s.Evaluations, "evaluation"), count(s.Evaluations/s.Population, "generation"))
	}
	if s.Time != "" {
		parts = append(parts, "at most "+s.Time)
	}
	return parts
}

// geneList names genes with their bounds.
func geneList(genes []gene) []string {
	var parts []string
	for _, g := range genes {
		parts = append(parts, fmt.Sprintf("%s [%g, %g]", g.Name, g.Lo, g.Hi))
	}
	return parts
}

// probeEvent is the measured cost of a candidate.
type probeEvent struct {
	Seconds float64 `json:"seconds_per_candidate"`
	Total   float64 `json:"seconds_in_all,omitempty"`
}

func (probeEvent) name() string { return "probe" }

func (p probeEvent) text(w io.Writer) {
	fmt.Fprintf(w, "one candidate takes %.1f ms", 1000*p.Seconds)
	if p.Total > 0 {
		fmt.Fprintf(w, ", the search about %s", time.Duration(p.Total*float64(time.Second)).Round(time.Second))
	}
	fmt.Fprintln(w)
}

// probe prints the plan and the time of a generation, the second of two: the first
// compiles.
func (s *search) probe(ctx context.Context, v *voice) error {
	if err := v.tell(s.plan()); err != nil {
		return err
	}
	if err := s.openArena(ctx, v); err != nil {
		return err
	}
	pop, rounds := make([]evaluate.Model, s.settings.Population), 2
	if len(s.exams.panel.Tasks) > 0 {
		pop, rounds = pop[:1], 1 // programs are dear, and need no compiling
	}
	for i := range pop {
		pop[i].Spec = s.spec
	}
	var took time.Duration
	for range rounds {
		began := time.Now()
		if _, err := s.arena.evaluate(ctx, s.arena.search, pop); err != nil {
			return err
		}
		took = time.Since(began)
	}
	each := took.Seconds() / float64(len(pop))
	return v.tell(probeEvent{Seconds: each, Total: each * float64(s.settings.Evaluations)})
}
