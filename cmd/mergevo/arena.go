package main

import (
	"cmp"
	"context"
	"io"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/evaluate/programs"
	"github.com/mergevo/mergevo/internal/xla"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/recipes"
)

// plans are the shapes of the two evaluators, fixed for a run.
type plans struct {
	Search evaluate.Plan `json:"search"`
	Report evaluate.Plan `json:"report"`
}

// newPlans chooses the shapes; stacked says that candidates differ in their layers.
func newPlans(m *models.Model, e *exams, stacked bool, population int, gpu bool) plans {
	if m == nil { // programs alone
		one := evaluate.Plan{Slice: 1, Rows: 1}
		return plans{one, one}
	}
	p := plans{
		Search: evaluate.NewPlan(m, population, examples(e.search), gpu),
		Report: evaluate.NewPlan(m, population, examples(e.all()), gpu),
	}
	p.Search.Blocks, p.Report.Blocks = stacked, stacked
	return p
}

// arena holds the parents and the examples on the device: one evaluator for what
// the search sees, and one for the report, which sees all.
type arena struct {
	backend *xla.Backend
	pop     *merge.Population
	search  evaluate.Resident
	report  evaluate.Resident
	host    *evaluate.Host    // of programs that are served, nil without
	metrics map[string]string // of the report's tasks
	single  bool              // each candidate goes through the device by itself
	// judges places the evaluator of what answers are chosen on, where it is worth one of its
	// own, nil elsewhere; judge is that evaluator, once it is placed.
	judges func() (evaluate.Resident, error)
	judge  evaluate.Resident
	bars   func(total int64) *bar
	weight func(task string) float64
	left   bool // a device call goes on, and the program ends without it
	alone  sync.Mutex
}

func newArena(b *xla.Backend, p *merge.Parents, onto *merge.Onto, m *models.Model, e *exams, in settled, s *recipes.Search) (*arena, error) {
	if in.tight {
		xla.ReturnBlocks()
	}
	a := &arena{backend: b, weight: s.Weight, metrics: e.metrics, single: m == nil || m.Single() || len(e.panel.Tasks) > 0}
	if err := a.placeAll(p, onto, m, e, in); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

// placeAll puts parents and examples where they are settled to be, and joins the programs.
func (a *arena) placeAll(p *merge.Parents, onto *merge.Onto, m *models.Model, e *exams, in settled) (err error) {
	all, pl := e.all(), in.plans
	switch {
	case m == nil: // programs read what is written
	case pl.Report.Blocks:
		a.pop = merge.NewPopulation(a.backend.Backend, in.place)
	default:
		if a.pop, err = merge.LoadTo(a.backend.Backend, p, in.place); err != nil {
			return err
		}
	}
	if m != nil {
		a.pop.On(onto)
	}
	for _, on := range []struct {
		sets []*evaluate.Dataset
		plan evaluate.Plan
		to   *evaluate.Resident
	}{{e.search, pl.Search, &a.search}, {all, pl.Report, &a.report}} {
		if len(on.sets) == 0 {
			continue // programs alone
		}
		placed, err := evaluate.Place(a.pop, m, on.sets, on.plan)
		if err != nil {
			return err
		}
		*on.to = placed
	}
	if len(e.validation) > 0 && a.single && len(e.panel.Tasks) == 0 {
		a.judges = func() (evaluate.Resident, error) { return evaluate.Place(a.pop, m, e.validation, pl.Report) }
	}
	if len(e.panel.harnesses) > 0 {
		tok, err := e.panel.tokenizer()
		if err != nil {
			return err
		}
		a.host = evaluate.NewHost(a.pop, m, tok, pl.Search)
		for _, h := range e.panel.harnesses {
			h.Host = a.host
		}
	}
	if len(e.panel.Tasks) > 0 {
		a.search = e.panel.ForSearch(a.search)
		a.report = e.panel.ForReport(a.report, [3]int{len(e.search), len(e.validation), len(e.heldOut)},
			[3]string{onSearch + "/", onValidation + "/", onHeldOut + "/"})
	}
	return nil
}

// metric is what a task of the report is scored by.
func (a *arena) metric(task string) string {
	if p, ok := a.report.(*programs.Evaluator); ok {
		return cmp.Or(a.metrics[task], p.Metric(task))
	}
	return a.metrics[task]
}

// openCrew has a process a device hold what an arena holds.
func (s *search) openCrew(ctx context.Context, talk io.Writer) error {
	c, err := s.muster(ctx, talk)
	if err != nil {
		return err
	}
	s.arena = &arena{backend: s.backend, search: &side{crew: c, at: 0}, report: &side{crew: c, at: 1},
		weight: s.recipe.Search.Weight, metrics: s.exams.metrics, single: s.model.Single()}
	return nil
}

// evaluate scores a population, and gives up soon after an interruption.
func (a *arena) evaluate(ctx context.Context, d evaluate.Resident, pop []evaluate.Model) ([]evaluate.Result, error) {
	if _, others := d.(*side); others {
		return d.Evaluate(ctx, pop)
	}
	a.alone.Lock() // a device scores one population at a time
	defer a.alone.Unlock()
	results, left, err := abandon(ctx, patience, func() ([]evaluate.Result, error) { return d.Evaluate(ctx, pop) })
	a.left = a.left || left
	return results, err
}

// spent is what an arena's device has done on the search's examples so far.
type spent struct {
	calls int
	busy  time.Duration
}

func (a *arena) spent() spent { return spent{a.search.Calls(), a.search.Busy()} }

func (a *arena) close() {
	if a.left {
		return
	}
	if a.search != nil {
		a.search.Finalize()
	}
	if a.report != nil {
		a.report.Finalize()
	}
	if a.judge != nil {
		a.judge.Finalize()
	}
	if a.host != nil {
		a.host.Finalize()
	}
	if a.pop != nil {
		a.pop.Finalize()
	}
}

// value is the objective: the weighted mean of the tasks' scores.
func (a *arena) value(r evaluate.Result) float64 {
	if r.Err != nil {
		return math.NaN()
	}
	var sum, total float64
	for _, t := range a.search.Layout() {
		w := a.weight(t.Task)
		sum += w * r.Tasks[t.Task]
		total += math.Abs(w) // a negative weight is of what shall fall
	}
	return sum / total
}

// plain reports whether a task of the objective is scored otherwise than in percent.
func (a *arena) plain() bool {
	for _, t := range a.search.Layout() {
		if !evaluate.Percent(a.metric(onSearch + "/" + t.Task)) {
			return true
		}
	}
	return false
}

// part returns the layout and the weights of one part of the report; empty where
// the part has no examples. A held-out task that the objective does not name
// counts as one.
func (a *arena) part(name string) ([]evaluate.ItemRange, map[string]float64) {
	var layout []evaluate.ItemRange
	weights := map[string]float64{}
	for _, t := range a.report.Layout() {
		part, task, _ := strings.Cut(t.Task, "/")
		if part != name {
			continue
		}
		layout = append(layout, t)
		weights[t.Task] = a.weight(task)
		if name == onHeldOut && a.unknown(task) {
			weights[t.Task] = 1
		}
	}
	return layout, weights
}

func (a *arena) unknown(task string) bool {
	for _, t := range a.search.Layout() {
		if t.Task == task {
			return false
		}
	}
	return true
}

// entry is one line of the table: a parent, a simple merge, or the recipe found.
type entry struct {
	Name   string `json:"name"`
	Parent bool   `json:"parent,omitempty"`
	// Optimizer is the one that found it, of a baseline that was searched for.
	Optimizer string `json:"optimizer,omitempty"`
	spec      *merge.Spec
	genome    []float64 // that spec is of; nil for simple merges, which are known by Name
	result    evaluate.Result
	judged    *float64 // the score on the validation examples, of what was scored on no others
	// Parts are the score's mean and interval on each part; Tasks the accuracies.
	Parts map[string]evaluate.Interval `json:"parts"`
	Tasks map[string]float64           `json:"tasks"`
	// Error says why there are none.
	Error string `json:"error,omitempty"`
}

// mark scores entries on everything and fills their numbers. Where each takes a call
// of its own, progress is shown.
func (a *arena) mark(ctx context.Context, list []*entry) error {
	err := a.scored(ctx, a.report, list, "scored on every example")
	for _, e := range list {
		if err == nil {
			a.fill(e)
		}
	}
	return err
}

// scored gives entries an evaluator's results.
func (a *arena) scored(ctx context.Context, on evaluate.Resident, list []*entry, what string) error {
	step := len(list)
	if a.single {
		step = 1
	}
	progress := &bar{}
	if a.bars != nil && a.single {
		progress = a.bars(int64(len(list)))
		defer progress.finish()
	}
	for at := 0; at < len(list); at += step {
		part := list[at:min(at+step, len(list))]
		pop := make([]evaluate.Model, len(part))
		for i, e := range part {
			pop[i] = evaluate.Model{Spec: e.spec, Genome: e.genome, Name: e.Name}
		}
		results, err := a.evaluate(ctx, on, pop)
		if err != nil {
			return err
		}
		for i, e := range part {
			e.result = results[i]
		}
		progress.set(int64(at+len(part)), what)
	}
	return nil
}

// compare scores entries on the examples that answers are chosen on, and on all where that
// takes no longer.
func (a *arena) compare(ctx context.Context, list []*entry) (err error) {
	if a.judges == nil {
		return a.mark(ctx, list)
	}
	if a.judge == nil {
		if a.judge, err = a.judges(); err != nil {
			return err
		}
	}
	if err := a.scored(ctx, a.judge, list, "scored on what the answer is chosen on"); err != nil {
		return err
	}
	weights := map[string]float64{}
	for _, t := range a.judge.Layout() {
		weights[t.Task] = a.weight(t.Task)
	}
	for _, e := range list {
		if e.result.Err == nil {
			m := evaluate.Mean(a.judge.Layout(), a.judge.Keys(), weights, e.result.Items).Mean
			e.judged = &m
		}
	}
	return nil
}

// fill fills an entry's numbers from its result.
func (a *arena) fill(e *entry) {
	e.Tasks = e.result.Tasks
	if e.result.Err != nil {
		e.Error = e.result.Err.Error()
		return
	}
	e.Parts = map[string]evaluate.Interval{}
	for _, name := range parts {
		if layout, weights := a.part(name); len(layout) > 0 {
			e.Parts[name] = evaluate.Mean(layout, a.report.Keys(), weights, e.result.Items)
		}
	}
}

// gap returns the paired difference of two entries on a part.
func (a *arena) gap(part string, x, y *entry) (evaluate.Interval, bool) {
	layout, weights := a.part(part)
	if len(layout) == 0 || x.result.Err != nil || y.result.Err != nil {
		return evaluate.Interval{}, false
	}
	return evaluate.Gap(layout, a.report.Keys(), weights, x.result.Items, y.result.Items), true
}

// searchGap is gap on the search's examples, of items as the search scores them.
func (a *arena) searchGap(items []float32, y *entry) evaluate.Interval {
	weights := map[string]float64{}
	for _, t := range a.search.Layout() {
		weights[t.Task] = a.weight(t.Task)
	}
	return evaluate.Gap(a.search.Layout(), a.search.Keys(), weights, items, y.result.Items[:len(items)])
}

// notHeldOut is the mean over the search's and the validation's examples.
func (a *arena) notHeldOut(e *entry) float64 {
	if e.result.Err != nil {
		return math.Inf(-1)
	}
	var sum, n float64
	for _, part := range []string{onSearch, onValidation} {
		layout, _ := a.part(part)
		for _, t := range layout {
			sum += float64(t.Count) * e.Parts[part].Mean
			n += float64(t.Count)
		}
	}
	return sum / n
}

// chooser is the score by which the answer is chosen.
func (e *entry) chooser() float64 {
	if e.result.Err != nil {
		return math.Inf(-1)
	}
	if e.judged != nil {
		return *e.judged
	}
	if v, ok := e.Parts[onValidation]; ok {
		return v.Mean
	}
	return e.Parts[onSearch].Mean
}
