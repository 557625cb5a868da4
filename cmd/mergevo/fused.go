package main

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/niches"
	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/merge/niche"
)

// fused evolves networks that have weights of their own in a loop on the device, which keeps
// the archive: a call breeds, mutates, scores and lets in many children. Behind each call the
// optimizer here has the same archive, so that the run can be kept and goes on from there.
type fused struct {
	*niches.Loop
	rules   niches.Options
	m2n2    *evolve.M2N2[[]float64]
	seed    uint64
	layout  []evaluate.ItemRange
	value   func(evaluate.Result) float64
	each    time.Duration // a child takes in a call, as the last one had it; 0: not known yet
	calls   int
	busy    time.Duration
	settled bool // the optimizer has nothing of a call that events have not told of
}

// What a call of the loop takes, about and at most.
const (
	fusedTime  = 300 * time.Millisecond
	fusedSteps = 256
	fusedMarks = 4 << 20 // examples of all its children
)

// host says why a search of networks keeps its archive on the host; "" where the device can
// keep it. Other bits come out: noise is made where the networks are.
func (s *search) host() string {
	switch o, list := s.niched.options, s.recipe.Search; {
	case len(s.devices) > 0:
		return "several devices score"
	case s.hosted:
		return "the run began there"
	case len(s.exams.panel.Tasks) > 0:
		return "programs read them there"
	case s.backend.Kind == "go":
		return "the Go backend has no loops"
	case o.Epsilon > 0 || o.Shift || o.Warmup > 0:
		return "the device knows neither epsilon nor shift nor warmup"
	case o.Steady:
		return "the device breeds all in flight from one archive, and steady: on does not"
	case len(list.Pareto)+len(list.Descriptors) > 0:
		return "objectives and descriptors are taken there"
	case s.settled.place != merge.OnDevice:
		return "the first networks are not on the device"
	case s.plans.Search.Rows != examples(s.exams.search):
		return "the examples take more than one device call"
	}
	return ""
}

// onDevice reports whether the archive is the device's.
func (s *search) onDevice() bool { return s.recipe.Init != nil && s.host() == "" }

// house puts the archive of networks where it stays, and says where.
func (s *search) house(v *voice) error {
	if s.recipe.Init == nil {
		return nil
	}
	if why := s.host(); why != "" {
		v.say("the archive stays on the host: %s", why)
		return nil
	}
	v.say("the archive stays on the device")
	return s.fuse()
}

// fuse makes the loop of a search whose models and examples are on the device.
func (s *search) fuse() error {
	n := s.niched
	d, ok := s.arena.search.(*evaluate.Device)
	if !ok {
		return errors.New("networks are scored on tensors")
	}
	data, err := niches.Networks(d, n.scratch.flat, s.opened.parents.Merged())
	if err != nil {
		return err
	}
	o := n.options
	steps := min(fusedSteps, max(fusedMarks/data.Examples, 16))
	rules := niches.Options{
		Archive: o.Archive, Flight: o.InFlight, Steps: max(1, steps/o.InFlight) * o.InFlight,
		Alpha: o.Alpha, Attraction: o.Attraction, Crossing: n.crossing, Sigma: n.scratch.Sigma,
	}
	loop, err := niches.New(s.backend.Backend, rules, data)
	if err != nil {
		return err
	}
	s.fused = &fused{Loop: loop, rules: rules, m2n2: s.optimizer.(*evolve.M2N2[[]float64]), seed: s.settings.Seed, layout: d.Layout(), value: s.arena.value, settled: true}
	return nil
}

// generations is evolve.Run. Networks whose archive the device keeps leave it once the first
// ones are scored.
func (s *search) generations(ctx context.Context, f evolve.Objective[[]float64], b evolve.Budget, from evolve.Progress[[]float64], results *marks) iter.Seq2[evolve.Event[[]float64], error] {
	run := evolve.Run(ctx, s.optimizer, f, b, from)
	if s.fused == nil {
		return run
	}
	return func(yield func(evolve.Event[[]float64], error) bool) {
		began := time.Now()
		if s.fused.m2n2.Next() == 1 {
			over := true
			for e, err := range run {
				if !yield(e, err) || err != nil {
					return
				}
				if e.Kind == evolve.Generation && e.Told {
					from = evolve.Progress[[]float64]{Generation: e.Generations, Evaluations: e.Evaluations, Failed: e.Failed, Best: e.Best}
					over = false
					break
				}
			}
			if over {
				return
			}
		}
		s.whole(ctx, b, from, began, results, yield)
	}
}

// whole goes on with the loop on the device until the budget is spent, by whole flights.
func (s *search) whole(ctx context.Context, b evolve.Budget, p evolve.Progress[[]float64], began time.Time, results *marks, yield func(evolve.Event[[]float64], error) bool) {
	f, flight := s.fused, s.fused.rules.Flight
	event := func(k evolve.Kind) evolve.Event[[]float64] {
		return evolve.Event[[]float64]{Kind: k, Generations: p.Generation, Evaluations: p.Evaluations, Failed: p.Failed, Best: p.Best, Elapsed: time.Since(began), Optimizer: f.m2n2}
	}
	if err := f.begin(); err != nil {
		yield(event(evolve.Stopped), err)
		return
	}
	for {
		left := f.rules.Steps
		if b.Evaluations > 0 {
			left = min(left, b.Evaluations-p.Evaluations)
		}
		e := event(evolve.Stopped)
		switch {
		case left < flight:
			e.Reason = "evaluations"
		case b.Time > 0 && e.Elapsed >= b.Time:
			e.Reason = "time"
		}
		if e.Reason != "" {
			yield(e, nil)
			return
		}
		children, err := f.breed(ctx, left/flight*flight, &s.arena.left)
		if err != nil {
			yield(e, err)
			return
		}
		s.scored += len(children)
		f.settled = false
		for at := 0; at < len(children); at += flight {
			told := children[at : at+flight]
			for _, c := range told {
				if p.Evaluations++; c.Failed() {
					p.Failed++
				} else if p.Best == nil || evolve.Better(c.Scored, *p.Best) {
					best := c.Scored
					p.Best = &best
				}
				results.put(c.ID, c.result)
			}
			p.Generation++
			f.settled = at+flight == len(children)
			e := event(evolve.Generation)
			for _, c := range told {
				e.Scored = append(e.Scored, c.Scored)
			}
			e.Told = true
			if !yield(e, nil) {
				return
			}
		}
	}
}

// begin hands the optimizer's archive to the device.
func (f *fused) begin() error {
	var members []niches.Member
	for _, c := range f.m2n2.Slots() {
		m := niches.Member{ID: c.ID}
		if c.ID != 0 {
			m.Weights = niche.Narrow(c.Genome)
			for _, v := range c.Items {
				m.Right = append(m.Right, uint8(v))
			}
		}
		members = append(members, m)
	}
	return f.Restore(members, f.m2n2.Next())
}

// bred is a child with its marks.
type bred struct {
	evolve.Scored[[]float64]
	result evaluate.Result
}

// breed makes up to most children in a call of about fusedTime, and brings the optimizer to
// where the device is.
func (f *fused) breed(ctx context.Context, most int, abandoned *bool) ([]bred, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	count := min(most, f.rules.Flight)
	if f.each > 0 {
		flights := max(1, int(fusedTime/f.each)/f.rules.Flight)
		count = min(most, flights*f.rules.Flight)
	}
	draws := make([]niches.Draw, count)
	for i := range draws {
		draws[i] = f.rules.Draw(evolve.Draws(f.seed, f.m2n2.Next()+uint64(i)))
	}
	began := time.Now()
	children, left, err := abandon(ctx, patience, func() ([]niches.Child, error) { return f.Run(draws) })
	*abandoned = *abandoned || left
	if err != nil {
		return nil, err
	}
	took := time.Since(began)
	if f.calls++; f.calls > 1 { // the first compiles
		f.each = max(1, took/time.Duration(count))
	} else {
		f.each = fusedTime / time.Duration(16*f.rules.Flight)
	}
	f.busy += took
	return f.follow(children)
}

// follow tells the optimizer of children, and reads the weights of those who stayed.
func (f *fused) follow(children []niches.Child) ([]bred, error) {
	out, slots := make([]bred, len(children)), make([]int, len(children))
	told := make([]evolve.Scored[[]float64], len(children))
	entered := map[int]bool{}
	for i, c := range children {
		r := f.result(c)
		score := evolve.Score{Value: f.value(r), Tie: r.Tie, Items: r.Items, Err: r.Err}
		told[i] = evolve.Scored[[]float64]{Candidate: evolve.Candidate[[]float64]{ID: c.ID, Parents: c.Parents[:]}, Score: score}
		slots[i] = c.Slot
		if c.Slot < f.rules.Archive {
			entered[c.Slot] = true
		}
		out[i] = bred{told[i], r}
	}
	if err := f.m2n2.Follow(told, slots); err != nil {
		return nil, err
	}
	var fresh []int
	for slot := range entered {
		fresh = append(fresh, slot)
	}
	return out, f.Networks(fresh, func(slot int, weights []float32) { f.m2n2.SetGenome(slot, niche.Wide(weights)) })
}

// result is what the marks of a child come to.
func (f *fused) result(c niches.Child) evaluate.Result {
	if c.Failed {
		return evaluate.Result{Err: errors.New("the model's output is not a number")}
	}
	r := evaluate.Result{Tasks: map[string]float64{}, Items: make([]float32, len(c.Right)), Tie: float64(c.Tie)}
	for _, t := range f.layout {
		right := 0
		for i := t.Offset; i < t.Offset+t.Count; i++ {
			r.Items[i] = float32(c.Right[i])
			right += int(c.Right[i])
		}
		r.Tasks[t.Task] = float64(right) / float64(t.Count)
	}
	return r
}
