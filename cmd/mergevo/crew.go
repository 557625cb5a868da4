package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"time"

	"github.com/mergevo/mergevo/evaluate"
)

// crew is processes that score, one a device. Whoever is free takes what comes next. A
// process that dies is started again, and what it was scoring goes to another, once.
type crew struct {
	command func(device string) *exec.Cmd
	setup   setup
	slice   [2]int // candidates of an assignment, of the search's evaluator and the report's

	mu     sync.Mutex
	wake   *sync.Cond
	queue  []*errand
	hands  []*hand
	closed bool
	able   int   // hands that can be started
	broken error // why the last could not
	hello  ready
	idle   sync.WaitGroup
}

// errand is an assignment under way.
type errand struct {
	assignment
	failed []string // why processes died on it
	not    *hand    // who died on it last
	done   chan landing
}

// landing is a reply, or why there is none.
type landing struct {
	reply
	lost error // the candidates' fault, perhaps: processes died on them
	err  error // nobody can score
}

// mostDeaths ends an errand.
const mostDeaths = 2

// newCrew starts a process a device, and returns when all are ready.
func newCrew(ctx context.Context, devices []string, command func(device string) *exec.Cmd, to setup) (*crew, error) {
	c := &crew{command: command, setup: to, slice: [2]int{max(1, to.Plans.Search.Slice), max(1, to.Plans.Report.Slice)}, able: len(devices)}
	c.wake = sync.NewCond(&c.mu)
	errs := make(chan error, len(devices))
	for _, d := range devices {
		h := &hand{crew: c, device: d}
		c.hands = append(c.hands, h)
		c.idle.Go(func() {
			err := h.start()
			errs <- err
			if err == nil {
				h.serve()
			}
		})
	}
	var failed error
	for range devices {
		select {
		case err := <-errs:
			failed = errors.Join(failed, err)
		case <-ctx.Done():
			failed = ctx.Err()
		}
		if failed != nil {
			c.close()
			return nil, failed
		}
	}
	return c, nil
}

// close ends the processes, whatever they do.
func (c *crew) close() {
	c.mu.Lock()
	c.closed = true
	for _, h := range c.hands {
		h.kill()
	}
	c.wake.Broadcast()
	c.mu.Unlock()
	c.idle.Wait()
}

// take waits for an errand that is h's to do: not one that it has died on, unless nobody
// else is there.
func (c *crew) take(h *hand) *errand {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.closed {
		for i, e := range c.queue {
			if e.not != h || c.able == 1 {
				c.queue = append(c.queue[:i:i], c.queue[i+1:]...)
				return e
			}
		}
		c.wake.Wait()
	}
	return nil
}

// put adds an errand, in front where it comes back.
func (c *crew) put(e *errand) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed || c.able == 0:
		e.done <- landing{err: fmt.Errorf("no process is left to score: %w", c.broken)}
		return
	case e.not != nil:
		c.queue = append([]*errand{e}, c.queue...)
	default:
		c.queue = append(c.queue, e)
	}
	c.wake.Broadcast()
}

// died notes that a process has died on an errand.
func (c *crew) died(e *errand, h *hand, why string) {
	e.failed, e.not = append(e.failed, fmt.Sprintf("on device %s: %s", h.device, why)), h
	if len(e.failed) < mostDeaths {
		c.put(e)
		return
	}
	e.done <- landing{lost: fmt.Errorf("the process that scored it died, %s, and so did a second one, %s", e.failed[0], e.failed[1])}
}

// lose gives a hand up that cannot be started again; the last one's end is everybody's.
func (c *crew) lose(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.able--
	c.broken = err
	if c.able == 0 {
		for _, e := range c.queue {
			e.done <- landing{err: fmt.Errorf("no process is left to score: %w", err)}
		}
		c.queue = nil
	}
	c.wake.Broadcast()
}

// side is one of the two evaluators that each process has.
type side struct {
	crew  *crew
	at    int // 0 the search's, 1 the report's
	mu    sync.Mutex
	calls int
	busy  time.Duration
}

var _ evaluate.Resident = (*side)(nil)

// Layout implements [evaluate.Evaluator].
func (s *side) Layout() []evaluate.ItemRange { return s.crew.hello.Layouts[s.at] }

// Keys implements [evaluate.Resident].
func (s *side) Keys() []evaluate.Key { return s.crew.hello.Keys[s.at] }

// Calls implements [evaluate.Resident]: those of all devices.
func (s *side) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// Busy implements [evaluate.Resident]: that of all devices.
func (s *side) Busy() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.busy
}

// Finalize implements [evaluate.Resident]: the processes end, for both sides.
func (s *side) Finalize() { s.crew.close() }

// Evaluate implements [evaluate.Evaluator]. It may be called from several goroutines.
func (s *side) Evaluate(ctx context.Context, pop []evaluate.Model) ([]evaluate.Result, error) {
	var errands []*errand
	for at, n := 0, s.crew.slice[s.at]; at < len(pop); at += n {
		e := &errand{assignment: assignment{Report: s.at == 1}, done: make(chan landing, 1)}
		for _, m := range pop[at:min(at+n, len(pop))] {
			e.Candidates = append(e.Candidates, subject{Name: m.Name, Genome: m.Genome})
		}
		errands = append(errands, e)
		s.crew.put(e)
	}
	var results []evaluate.Result
	for _, e := range errands {
		select {
		case o := <-e.done:
			switch {
			case o.err != nil:
				return nil, o.err
			case o.Failed != "":
				return nil, errors.New(o.Failed)
			case o.lost != nil:
				for range e.Candidates {
					results = append(results, evaluate.Result{Err: o.lost})
				}
			default:
				results = append(results, fromWire(o.Results)...)
			}
			s.mu.Lock()
			s.calls, s.busy = s.calls+o.Calls, s.busy+o.Busy
			s.mu.Unlock()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return results, nil
}
