package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/evaluate/programs"
	"github.com/mergevo/mergevo/internal/xla"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tokenizers/encode"
)

// The kinds of tasks that programs score.
const (
	byCommand = "command"
	lmEval    = "lm_eval"
)

// panel is the programs that score a search's candidates.
type panel struct {
	programs.Panel
	scratch   []string // the folder that the recipe names for each task's program
	harnesses []*programs.Harness
	scorers   []*programs.Scorer
	tokenizer func() (*encode.Tokenizer, error)
	folders   map[string]*programs.Scratch
}

// onDevice reports whether a search has tasks that run models here: others need no model
// of a known type.
func onDevice(s *recipes.Search) bool {
	return slices.ContainsFunc(slices.Concat(s.Tasks, s.HeldOut), func(t recipes.Task) bool { return t.Kind != byCommand })
}

// measurable refuses tasks that programs score, of which nothing is known but the score.
func measurable(s *recipes.Search, what string) error {
	for _, t := range slices.Concat(s.Tasks, s.HeldOut) {
		if t.Program != nil || t.Scorer != nil {
			return usage(fmt.Errorf("task %s: %s needs tasks whose answers are computed here, and a program scores this one", t.Name, what))
		}
	}
	return nil
}

// runs reports whether there is a program to run: its journal is a run's own.
func (p *panel) runs() bool { return len(p.Tasks)+len(p.scorers) > 0 }

// whole refuses to have programs score candidates that differ in their layers, or that
// are adapters.
func (p *panel) whole(r *recipes.Recipe, o *opened) error {
	switch {
	case len(p.Tasks) == 0:
		return nil
	case r.Stacked():
		return usage(fmt.Errorf("task %s: programs do not score searches of layers", p.Tasks[0].Name))
	case o.adapters != nil:
		return usage(fmt.Errorf("task %s: programs do not score adapters: merge them on their model, as MODEL+ADAPTER", p.Tasks[0].Name))
	}
	return nil
}

// add adds a task that a program scores.
func (p *panel) add(t recipes.Task, dir string, m *models.Model, heldOut bool) error {
	id, err := programID(&t, t.Program, dir)
	if err != nil {
		return err
	}
	find := programs.Command{Argv: t.Program.Command, Dir: within(dir, t.Program.Dir)}
	if err := find.Check(); err != nil {
		return err
	}
	task := &programs.Task{Name: t.Name, Parts: t.Parts, Metric: t.Metric, Split: evaluate.Split(t.Split), HeldOut: heldOut}
	if t.Kind == lmEval {
		if m == nil || m.Text == nil || m.Text.Logits == nil {
			return fmt.Errorf("lm_eval needs a model that predicts tokens")
		}
		h := harnessOf(&t, dir)
		h.ID, task.Asker = id, h
		p.harnesses = append(p.harnesses, h)
	} else {
		task.Told = t.Program.Names("part")
		task.Asker = &programs.OnCheckpoint{
			Argv: t.Program.Expand, Output: t.Program.Names("output"), Dir: find.Dir, Timeout: t.Program.Timeout,
			Task: t.Name, Parts: t.Parts, ID: id,
		}
	}
	p.Tasks, p.scratch = append(p.Tasks, task), append(p.scratch, t.Program.Scratch)
	return nil
}

// harnessOf is the harness of a task.
func harnessOf(t *recipes.Task, dir string) *programs.Harness {
	return &programs.Harness{
		Command: t.Program.Command, Args: t.Program.Args, Dir: within(dir, t.Program.Dir), Timeout: t.Program.Timeout,
		Tasks: t.Parts, Limit: examplesOf(t), FewShot: t.FewShot, Metric: t.Metric, MaxLength: t.MaxLength,
	}
}

// scorer adds the program that scores what a task's models write.
func (p *panel) scorer(t *recipes.Task, dir string) (*programs.Scorer, error) {
	id, err := programID(t, t.Scorer, dir)
	if err != nil {
		return nil, err
	}
	s := &programs.Scorer{ID: id, Task: t.Name, Argv: t.Scorer.Expand,
		Command: programs.Command{Argv: t.Scorer.Command, Dir: within(dir, t.Scorer.Dir), Timeout: t.Scorer.Timeout}}
	p.scorers = append(p.scorers, s)
	return s, s.Command.Check()
}

// programID identifies a program: its command with the files among its arguments, and
// itself where it lies beside the recipe or where it runs.
func programID(t *recipes.Task, p *recipes.Program, dir string) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %q %v %q %q %d %d\n", t.Kind, p.Command, p.Args, t.Parts, p.Timeout, p.Dir, t.Metric, t.Limit, t.MaxLength)
	if t.FewShot != nil {
		fmt.Fprintf(h, "%d\n", *t.FewShot)
	}
	at := within(dir, p.Dir)
	for i, word := range slices.Concat(p.Command, p.Args) {
		file := within(at, word)
		info, err := os.Stat(file)
		if err != nil || !info.Mode().IsRegular() || i == 0 && !inside(dir, file) && !inside(at, file) {
			continue
		}
		f, err := os.Open(file)
		if err != nil {
			return "", plainPath(err)
		}
		fmt.Fprintf(h, "%q %d ", word, info.Size())
		_, err = io.Copy(h, f)
		f.Close()
		if err != nil {
			return "", plainPath(err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// stage is where a search or an evaluation runs programs.
type stage struct {
	opened  *opened
	backend *xla.Backend
	seed    uint64
	dir     string           // the recipe's
	run     string           // the run's folder, "" without one
	journal programs.Journal // nil without a run
}

// open gets ready to run the programs; close removes what they are given.
func (p *panel) open(on stage) (err error) {
	for _, s := range p.scorers {
		s.Journal, s.Seed = on.journal, on.seed
	}
	p.Parents, p.Journal, p.folders = on.opened.parents, on.journal, map[string]*programs.Scratch{}
	p.After = func() error {
		for _, f := range p.folders {
			if err := f.Empty(); err != nil {
				return plainPath(err)
			}
		}
		return nil
	}
	write := func(ctx context.Context, s *merge.Spec, dir string) error {
		return on.opened.writeCandidate(ctx, on.backend, s, dir)
	}
	for i, t := range p.Tasks {
		path, err := on.scratch(p.scratch[i], p.folders)
		if err != nil {
			return err
		}
		folder := p.folders[path]
		if folder == nil {
			if folder, err = programs.NewScratch(path, write); err != nil {
				return plainPath(err)
			}
			p.folders[path] = folder
		}
		switch a := t.Asker.(type) {
		case *programs.OnCheckpoint:
			a.Scratch, a.Seed = folder, on.seed
		case *programs.Harness:
			a.Scratch, a.Tokenizer = folder, on.opened.writeTokenizer
		}
	}
	return nil
}

// scratch is a folder of our own for what is written for programs: in the one that the
// recipe names, else in the run's.
func (on stage) scratch(named string, have map[string]*programs.Scratch) (string, error) {
	parent := within(on.dir, named)
	switch {
	case on.run == "":
		if named == "" {
			parent = os.TempDir()
		}
		for path := range have {
			if filepath.Dir(path) == parent {
				return path, nil
			}
		}
		if err := os.MkdirAll(parent, 0o755); err != nil {
			return "", plainPath(err)
		}
		path, err := os.MkdirTemp(parent, "mergevo-")
		return path, plainPath(err)
	case named == "":
		return within(on.run, "scratch"), nil
	}
	// The same when the run goes on, and no other run's.
	sum := sha256.Sum256([]byte(within(on.run, "")))
	return filepath.Join(parent, "mergevo-"+hex.EncodeToString(sum[:4])), nil
}

func (p *panel) close() {
	for _, f := range p.folders {
		_ = f.Remove()
	}
}
