package main

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/runs"
)

// workerCommand is the name of the command that search --devices starts.
const workerCommand = "score-for"

// newWorker is the process that scores on one device for a search in another process. It
// is no command for people.
func newWorker() *cobra.Command {
	var backend string
	var offline bool
	c := &cobra.Command{
		Use: workerCommand + " RUN", Hidden: true, Args: cobra.ExactArgs(1),
		Short: "Score candidates for the search of a run, as search --devices asks",
		RunE: func(c *cobra.Command, args []string) error {
			// Interruptions are for the search: it ends this process by closing its input.
			ctx := context.WithoutCancel(c.Context())
			in, out := gob.NewDecoder(c.InOrStdin()), gob.NewEncoder(c.OutOrStdout())
			var to setup
			if err := in.Decode(&to); err != nil {
				return fmt.Errorf("%s is started by search --devices: %w", workerCommand, err)
			}
			runtime.GOMAXPROCS(to.Threads)
			w, err := openWorker(ctx, c, args[0], backend, offline, to)
			if err != nil {
				return errors.Join(out.Encode(ready{Failed: err.Error()}), err)
			}
			defer w.close()
			return w.serve(ctx, in, out)
		},
	}
	addBackend(c, &backend)
	addOffline(c, &offline)
	return c
}

// worker is a search as far as it scores.
type worker struct {
	*search
	simple map[string]*entry // the merges that a search has to beat, by name
}

func openWorker(ctx context.Context, c *cobra.Command, dir, backend string, offline bool, to setup) (*worker, error) {
	run, err := runs.Read(dir)
	if err != nil {
		return nil, err
	}
	defer run.Close()
	r, err := keptRecipe(run)
	if err != nil {
		return nil, err
	}
	s, err := prepareAgain(ctx, run, r, to.Moved, wholeModels(c, offline, true), memoryFlags{})
	if err != nil {
		return nil, err
	}
	w := &worker{search: s, simple: map[string]*entry{}}
	if err := w.place(c, backend, to); err != nil {
		s.close()
		return nil, err
	}
	return w, nil
}

// place puts models and examples on the device.
func (w *worker) place(c *cobra.Command, backend string, to setup) (err error) {
	if w.backend, err = openBackend(c, backend); err != nil {
		return err
	}
	w.plans, w.settled = to.Plans, settled{plans: to.Plans, place: to.Place}
	if w.arena, err = newArena(w.backend, w.opened.parents, w.opened.putOn(), w.model, w.exams, w.settled, w.recipe.Search); err != nil {
		return err
	}
	if w.recipe.Init != nil {
		if _, err := w.niched.open(w.opened, w.spec); err != nil {
			return err
		}
	}
	for _, e := range baselines(w.opened, w.spec, w.arena.single) {
		w.simple[e.Name] = e
	}
	return nil
}

// serve scores what is asked for, until its input ends.
func (w *worker) serve(ctx context.Context, in *gob.Decoder, out *gob.Encoder) error {
	hello := ready{Kind: w.backend.Kind}
	for i, e := range []evaluate.Resident{w.arena.search, w.arena.report} {
		hello.Layouts[i], hello.Keys[i] = e.Layout(), e.Keys()
	}
	if err := out.Encode(hello); err != nil {
		return err
	}
	todo := make(chan assignment)
	go func() {
		for {
			var a assignment
			if err := in.Decode(&a); err != nil {
				if !errors.Is(err, io.EOF) {
					os.Exit(exitFailed)
				}
				os.Exit(exitDone) // whatever is being scored: nobody waits for it
			}
			todo <- a
		}
	}()
	for a := range todo {
		if err := out.Encode(w.score(ctx, a)); err != nil {
			return err
		}
	}
	return nil
}

// score does an assignment.
func (w *worker) score(ctx context.Context, a assignment) reply {
	on := w.arena.search
	if a.Report {
		on = w.arena.report
	}
	calls, busy := on.Calls(), on.Busy()
	pop := make([]evaluate.Model, len(a.Candidates))
	for i, c := range a.Candidates {
		if e := w.simple[c.Name]; e != nil && c.Genome == nil {
			pop[i].Spec = e.spec
			continue
		}
		var err error
		if pop[i].Spec, err = w.specOf(c.Genome); err != nil {
			return reply{Failed: err.Error()}
		}
	}
	results, err := on.Evaluate(ctx, pop)
	if err != nil {
		return reply{Failed: err.Error()}
	}
	return reply{Results: toWire(results), Calls: on.Calls() - calls, Busy: on.Busy() - busy}
}
