package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/internal/xla"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/runs"
)

// search is a search from its recipe to its report.
type search struct {
	recipe    *recipes.Recipe
	file      string // of the recipe, absolute
	opened    *opened
	model     *models.Model
	exams     *exams
	box       evolve.Box
	settings  settings
	niched    *niched // nil unless the recipe is a niche merge
	hosted    bool    // the run began with its archive on the host
	fused     *fused  // since run, if the device keeps the archive
	optimizer evolve.Optimizer[[]float64]

	plans   plans
	settled settled
	kept    *kept    // of the run that is continued
	devices []string // a process each; none: this one scores
	backend *xla.Backend
	arena   *arena
	store   *runs.Run
	dir     string
	shared  *shared // nil unless searches follow one another
	scored  int     // candidates, by this process

	borrowed bool        // the arena is that of the first of the searches that share one
	before   spent       // on the arena when it was borrowed
	spec     *merge.Spec // at the box's start: what baselines are like
}

// prepare opens everything that a recipe names and that needs no device. What is given
// are the settings that are no part of the recipe.
func prepare(ctx context.Context, r *recipes.Recipe, file string, given settings, how opening) (*search, error) {
	abs, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	s := &search{recipe: r, file: abs, settings: given}
	if s.opened, err = openModels(ctx, r, how); err != nil {
		return nil, err
	}
	if err := s.configure(filepath.Dir(abs)); err != nil {
		s.opened.close()
		return nil, err
	}
	return s, nil
}

// place is where a model lies, with its adapter.
func (m *model) place() string {
	if m.lora.path == "" {
		return m.at.path
	}
	return m.at.path + "+" + m.lora.path
}

// configure reads the examples and fills in every default.
func (s *search) configure(dir string) (err error) {
	r := s.recipe
	if s.model, err = modelOf(s.opened, r.Search); err != nil {
		return err
	}
	if s.exams, err = loadExams(r.Search, dir, s.model, s.opened.runs().folder.Dir()); err != nil {
		return err
	}
	if err := s.exams.panel.whole(r, s.opened); err != nil {
		return err
	}
	s.box = s.opened.family.Box()
	if s.spec, err = s.opened.specAt(s.box.Values(s.box.Start())); err != nil {
		return err
	}
	if err := s.opened.checkDescriptors(r, s.spec); err != nil {
		return err
	}
	given := s.settings
	s.settings = settingsOf(r.Search)
	s.settings.Seed, s.settings.Box = s.spec.Seed, s.box
	s.settings.Missing, s.settings.Prior, s.settings.prior, s.settings.memory = given.Missing, given.Prior, given.prior, given.memory
	if err := given.prior.fits(given.Prior, s.box); err != nil {
		return err
	}
	if r.Search.Time > 0 {
		s.settings.Time = r.Search.Time.String()
	}
	if s.niched, err = newNiched(r, s.opened.family, &s.settings); err == nil && s.niched == nil {
		err = s.newOptimizer()
	}
	return err
}

// newOptimizer makes the optimizer of a box.
func (s *search) newOptimizer() (err error) {
	from := s.proposals()
	if a, ok := evolve.LookupOptimizer(s.settings.Optimizer); ok && a.Proposer {
		if err := from.open(); err != nil {
			return usage(fmt.Errorf("optimizer %s: %w", a.Name, err))
		}
	}
	s.optimizer, err = newOptimizer(s.recipe, s.box, &s.settings, from)
	return err
}

// proposals are a language model's, for an optimizer that asks one.
func (s *search) proposals() *proposals {
	return &proposals{dir: func() string { return s.dir }, options: s.settings.Options}
}

func (s *search) close() {
	if s.fused != nil && !s.arena.left {
		s.fused.Finalize()
	}
	if !s.shared.holds(s) {
		if s.arena != nil && !s.borrowed {
			s.arena.close()
		}
		s.opened.close()
	}
	if s.exams != nil {
		s.exams.panel.close()
	}
	if s.store != nil {
		_ = s.store.Close()
	}
}

// openBackend opens the backend and fixes the shapes that suit it.
func (s *search) openBackend(c *cobra.Command, name string) error {
	b, err := openBackend(c, name)
	if err != nil {
		return err
	}
	return s.use(b)
}

// use takes a backend, and settles what fits into its memory.
func (s *search) use(b *xla.Backend) error {
	s.backend = b
	return s.settle(b.Kind)
}

// settle fixes the shapes that suit a kind of backend, or keeps those of the run, and
// finds where the parents fit. What fits nowhere is an error; the least that there is
// stays settled, for people to see.
func (s *search) settle(kind string) error {
	r, forced, err := s.settings.memory.read(kind)
	if err != nil {
		return err
	}
	if n := int64(len(s.devices)); n > 1 && !r.apart {
		r.device, r.host = r.device/n, r.host/n // the processes share the host's memory
	}
	pl := newPlans(s.model, s.exams, s.recipe.Stacked(), s.slice(), kind == "xla:cuda")
	fixed := s.kept != nil && s.kept.kind == kind
	if fixed {
		pl = s.kept.plans
	}
	s.settled, err = newFitting(s.model, s.exams, s.opened, s.spec, kind).settle(r, pl, fixed, forced)
	s.plans = s.settled.plans
	return err
}

// create makes the run's folder and says first of all how to continue it.
func (s *search) create(ctx context.Context, v *voice, dir string) error {
	m, err := s.manifest(ctx)
	if err != nil {
		return err
	}
	if s.store, err = runs.Create(dir, m); err != nil {
		return err
	}
	if err := s.settings.prior.keep(s.store); err != nil {
		return err
	}
	if a := s.opened.aligned; a != nil {
		if err := s.store.SetNote(alignedNote, a.found); err != nil {
			return err
		}
	}
	s.dir = dir
	v.log = s.store.Log
	again := ""
	if len(programsOf(s.recipe.Search, "")) > 0 {
		again = " --allow-commands"
	}
	v.say("run %s; continue it with: mergevo search --resume %s%s", dir, quote(dir), again)
	return nil
}

func (s *search) manifest(ctx context.Context) (m runs.Manifest, err error) {
	digests, err := s.opened.digests(ctx)
	if err != nil {
		return m, err
	}
	id, err := s.identity()
	if err != nil {
		return m, err
	}
	st, err := json.Marshal(s.settings)
	if err != nil {
		return m, err
	}
	m = runs.Manifest{Version: fullVersion(), Created: time.Now().UTC(), Recipe: s.recipe.Marshal(), RecipePath: s.file, Settings: st, Identity: id}
	for _, g := range s.box {
		m.Genes = append(m.Genes, g.Name)
	}
	for _, d := range s.exams.search {
		m.Tasks = append(m.Tasks, runs.Task{Name: d.Name, Examples: d.Len()})
	}
	for _, t := range s.exams.panel.Tasks {
		for _, name := range t.Scores() {
			if !t.HeldOut {
				m.Tasks = append(m.Tasks, runs.Task{Name: name})
			}
		}
	}
	for _, in := range s.opened.inputs() {
		m.Parents = append(m.Parents, runs.Parent{Ref: in.ref, Path: in.place, Digest: digests[in.ref]})
	}
	return m, nil
}
