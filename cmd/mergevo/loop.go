package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evolve"
)

// stoppedEvent says why a search ended.
type stoppedEvent struct {
	Reason      string  `json:"reason"`
	Generations int     `json:"generations"`
	Evaluations int     `json:"evaluations"`
	Failed      int     `json:"failed"`
	Seconds     float64 `json:"seconds"`
	// Scored and Calls are of this process: candidates whose scores were not in the
	// run yet, and the device calls which that took.
	Scored int `json:"scored"`
	Calls  int `json:"device_calls"`
	// Device is the part of Seconds spent in device calls, compilation included.
	Device float64 `json:"device_seconds"`
}

func (stoppedEvent) name() string { return "stopped" }

func (e stoppedEvent) text(w io.Writer) {
	fmt.Fprintf(w, "stopped after %d evaluations in %d generations and %.1f s: %s\n\n", e.Evaluations, e.Generations, e.Seconds, e.Reason)
}

// openArena places parents and examples on the device, unless a search before this one,
// of the same, has left them there.
func (s *search) openArena(ctx context.Context, v *voice) (err error) {
	if len(s.devices) > 0 {
		return s.openCrew(ctx, v.err)
	}
	if s.shared.fits(s) {
		s.arena, s.borrowed = s.shared.first.arena, true
		s.before = s.arena.spent()
		return nil
	}
	on := stage{opened: s.opened, backend: s.backend, seed: s.settings.Seed, dir: filepath.Dir(s.file), run: s.dir}
	if s.store != nil {
		on.journal = s.store
	}
	if err := s.exams.panel.open(on); err != nil {
		return err
	}
	s.arena, err = newArena(s.backend, s.opened.parents, s.opened.putOn(), s.model, s.exams, s.settled, s.recipe.Search)
	return err
}

// run scores the baselines, evolves, chooses, reports.
func (s *search) run(ctx context.Context, v *voice, o searchOptions) (rep reportEvent, err error) {
	if o.polish > 0 {
		if err := s.continuous(); err != nil {
			return rep, err
		}
	}
	if err := v.tell(s.plan()); err != nil {
		return rep, err
	}
	if err := s.opened.checkFinite(ctx); err != nil {
		return rep, s.interrupted(err)
	}
	if err := s.openArena(ctx, v); err != nil {
		return rep, err
	}
	if s.niched != nil {
		if s.optimizer, err = s.niched.open(s.opened, s.spec); err != nil {
			return rep, err
		}
		if err := s.house(v); err != nil {
			return rep, err
		}
	}
	s.arena.bars = func(total int64) *bar {
		return newBar(v.err, total, 0, func(n int64) string { return count(int(n), "model") }, v.json)
	}
	base, err := s.simple(ctx)
	if err != nil {
		return rep, s.interrupted(err)
	}
	if err := s.sane(base); err != nil && !o.anyway {
		return rep, err
	}
	if err := v.tell(parentsEvent{s.arena.board(base, false)}); err != nil {
		return rep, err
	}
	end, err := s.evolve(ctx, v, base)
	if err != nil {
		return rep, s.interrupted(err)
	}
	if len(o.baseline) > 0 {
		found, err := s.baselineSearches(ctx, v, o.baseline, end.Evaluations)
		if err != nil {
			return rep, s.interrupted(err)
		}
		base = append(base, found...)
	}
	answer, err := s.choose(ctx, v, base, o.ensemble)
	if err != nil {
		return rep, s.interrupted(err)
	}
	if err := s.elites(v); err != nil {
		return rep, err
	}
	if err := s.members(v); err != nil {
		return rep, err
	}
	if err := s.paretoFront(ctx, v); err != nil {
		return rep, s.interrupted(err)
	}
	if o.polish > 0 {
		if answer, err = s.polishAnswer(ctx, v, o.polish, answer); err != nil {
			return rep, s.interrupted(err)
		}
	}
	if err := s.store.SetNote("status", "done: "+end.Reason); err != nil {
		return rep, err
	}
	if o.apply != "" {
		if err := s.applyAnswer(ctx, v, answer, o); err != nil {
			return rep, err
		}
	}
	switch {
	case 2*end.Failed > end.Evaluations:
		return rep, coded{errCandidates, fmt.Errorf("%d of %d candidates failed; the first reasons are in: mergevo runs show %s", end.Failed, end.Evaluations, quote(s.dir))}
	case end.Failed > 0 && o.strict:
		return rep, coded{errCandidates, fmt.Errorf("%d of %d candidates failed", end.Failed, end.Evaluations)}
	case end.Failed > 0:
		v.say("%d of %d candidates failed and rank last", end.Failed, end.Evaluations)
	}
	return answer.report, nil
}

// simple scores the parents and the simple merges, which is done once for searches that
// share a device.
func (s *search) simple(ctx context.Context) ([]*entry, error) {
	if s.borrowed {
		return slices.Clone(s.shared.base), nil
	}
	base := baselines(s.opened, s.spec, s.arena.single)
	if err := s.arena.mark(ctx, base); err != nil {
		return nil, err
	}
	base = s.arena.bestLambda(base)
	s.shared.keep(s, base)
	return base, nil
}

// interrupted makes an error that says how to go on.
func (s *search) interrupted(err error) error {
	if !errors.Is(err, context.Canceled) {
		return err
	}
	_ = s.store.SetNote("status", "interrupted")
	return coded{errInterrupted, fmt.Errorf("interrupted; every finished generation is saved. Continue with: mergevo search --resume %s", quote(s.dir))}
}

// sane refuses to search where the parents' scores say that a task is broken: a
// parent that fails, or parents that all score the same.
func (s *search) sane(base []*entry) error {
	var parents []*entry
	for _, e := range base {
		if e.Parent {
			parents = append(parents, e)
		}
	}
	alike := true
	for _, p := range parents {
		if p.result.Err != nil {
			return fmt.Errorf("model %s cannot be scored: %w\nhint: --anyway searches all the same", p.Name, p.result.Err)
		}
		alike = alike && p.Parts[onSearch].Mean == parents[0].Parts[onSearch].Mean
	}
	if len(parents) < 2 || !alike {
		return nil
	}
	msg := fmt.Sprintf("all models score %.2f %%, so the tasks tell them apart in nothing:", 100*parents[0].Parts[onSearch].Mean)
	if len(s.exams.search) == 0 {
		return errors.New(msg[:len(msg)-1] + "\nhint: does the program read the model that it is given? --anyway searches all the same")
	}
	for i := range min(3, len(s.exams.search[0].Labels)) {
		msg += fmt.Sprintf("\n  example %d of %s: label %d, answers", i, s.exams.search[0].Name, s.exams.search[0].Labels[i])
		for _, p := range parents {
			msg += fmt.Sprintf(" %s %d,", p.Name, p.result.Predicted[i])
		}
		msg = msg[:len(msg)-1]
	}
	return errors.New(msg + "\nhint: are these the right labels, and are the models different? --anyway searches all the same")
}

// evolve runs the loop from where the run stands, storing each generation.
func (s *search) evolve(ctx context.Context, v *voice, base []*entry) (stoppedEvent, error) {
	state, from, known, err := s.store.Resume()
	if err != nil {
		return stoppedEvent{}, err
	}
	if state != nil {
		if err := s.optimizer.UnmarshalBinary(state); err != nil {
			return stoppedEvent{}, fmt.Errorf("the optimizer's state in the run: %w", err)
		}
		v.say("resumed at %d evaluations", from.Evaluations+len(from.Known))
	}
	for id, score := range from.Known {
		s.facets(&score, known[id].Tasks)
		from.Known[id] = score
	}
	if err := s.store.SetNote("status", "running"); err != nil {
		return stoppedEvent{}, err
	}
	results := newMarks() // of candidates that are not stored yet
	var one sync.Mutex    // of a device that has no process of its own
	objective := func(ctx context.Context, pop []evolve.Candidate[[]float64]) ([]evolve.Score, error) {
		if len(s.devices) == 0 {
			one.Lock()
			defer one.Unlock()
		}
		return s.score(ctx, pop, results)
	}
	budget := s.budget()
	best := bestParent(base)
	b := newBar(v.err, int64(budget.Evaluations), int64(from.Evaluations+len(from.Known)), evaluations, v.json)
	defer b.finish()
	waiting := held{steady: s.niched != nil}
	flush := func(e evolve.Event[[]float64]) error {
		if err := waiting.store(s.store, s.optimizer); err != nil {
			return err
		}
		ev := s.generationEvent(e, best)
		b.set(int64(e.Evaluations), ev.progress())
		return v.tell(ev)
	}
	var end stoppedEvent
	for e, err := range s.generations(ctx, objective, budget, from, results) {
		if err == nil {
			err = s.niched.failed()
		}
		if err != nil {
			return end, errors.Join(err, waiting.store(s.store, s.optimizer))
		}
		switch e.Kind {
		case evolve.Generation:
			full := waiting.add(s.generation(e, results, known))
			if !full || s.fused != nil && !s.fused.settled {
				continue
			}
			if err := flush(e); err != nil {
				return end, err
			}
		case evolve.Stopped:
			if len(waiting.generations) > 0 {
				if err := flush(e); err != nil {
					return end, err
				}
			}
			spent := s.arena.spent()
			end = stoppedEvent{e.Reason, e.Generations, e.Evaluations, e.Failed, e.Elapsed.Seconds(),
				results.scored(), spent.calls - s.before.calls, (spent.busy - s.before.busy).Seconds()}
			if s.fused != nil {
				end.Calls, end.Device = end.Calls+s.fused.calls, end.Device+s.fused.busy.Seconds()
			}
		}
	}
	b.finish()
	return end, v.tell(end)
}

func evaluations(n int64) string { return strconv.FormatInt(n, 10) }

// budget reserves one evaluation for the distribution's mean, which is a
// candidate for the answer too.
func (s *search) budget() evolve.Budget {
	n := s.settings.Evaluations
	if _, ok := s.optimizer.(evolve.Centered[[]float64]); ok && n > s.settings.Population {
		n--
	}
	return evolve.Budget{Evaluations: n, Time: s.recipe.Search.Time}
}

// score evaluates candidates on the search's examples.
func (s *search) score(ctx context.Context, pop []evolve.Candidate[[]float64], results *marks) ([]evolve.Score, error) {
	scores := make([]evolve.Score, len(pop))
	var models []evaluate.Model
	var at []int
	for i, c := range pop {
		spec, err := s.specOf(c.Genome)
		if err != nil {
			scores[i].Err = err
			continue
		}
		models, at = append(models, evaluate.Model{Spec: spec, Number: c.ID, Genome: c.Genome}), append(at, i)
	}
	marked, err := s.arena.evaluate(ctx, s.arena.search, models)
	if err != nil {
		return nil, err
	}
	for j := range marked {
		scores[at[j]] = s.scoreOf(models[j].Spec, &marked[j])
		results.put(pop[at[j]].ID, marked[j])
	}
	results.count(len(pop))
	return scores, nil
}

func bestParent(base []*entry) *entry {
	var best *entry
	for _, e := range base {
		if e.Parent && e.result.Err == nil && (best == nil || e.Parts[onSearch].Mean > best.Parts[onSearch].Mean) {
			best = e
		}
	}
	return best
}
