package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
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
	optimizer evolve.Optimizer[[]float64]
	missing   merge.Missing

	plans   plans
	backend *xla.Backend
	arena   *arena
	store   *runs.Run
	dir     string
	spec    *merge.Spec // at the box's start: what baselines are like
}

// prepare opens everything that a recipe names and that needs no device.
func prepare(r *recipes.Recipe, file string, o searchOptions, moved map[string]string) (s *search, err error) {
	abs, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	s = &search{recipe: r, file: abs}
	if s.missing, err = parseMissing(o.allowMissing); err != nil {
		return nil, err
	}
	dir := filepath.Dir(abs)
	if s.opened, err = openModels(r, dir, s.missing, moved); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.opened.close()
		}
	}()
	if s.model, err = modelOf(s.opened); err != nil {
		return nil, err
	}
	if s.exams, err = loadExams(r.Search, dir, s.model); err != nil {
		return nil, err
	}
	s.box = s.opened.family.Box()
	if s.spec, err = s.opened.family.Spec(s.box.Values(s.box.Start())); err != nil {
		return nil, err
	}
	s.settings = settings{
		Optimizer: r.Search.Optimizer.Name, Population: r.Search.Optimizer.Population, Sigma: r.Search.Optimizer.Sigma,
		Seed: s.spec.Seed, Evaluations: r.Search.Evaluations, Box: s.box,
	}
	if r.Search.Time > 0 {
		s.settings.Time = r.Search.Time.String()
	}
	if s.optimizer, err = newOptimizer(r, s.box, &s.settings); err != nil {
		return nil, err
	}
	s.plans = newPlans(s.model, s.exams, s.settings.Population, false)
	return s, nil
}

func (s *search) close() {
	if s.arena != nil {
		s.arena.close()
	}
	s.opened.close()
	if s.store != nil {
		_ = s.store.Close()
	}
}

// openBackend opens the backend and fixes the shapes that suit it.
func (s *search) openBackend(c *cobra.Command, name string) (err error) {
	if s.backend, err = openBackend(c, name); err != nil {
		return err
	}
	s.plans = newPlans(s.model, s.exams, s.settings.Population, s.backend.Kind == "xla:cuda")
	return nil
}

// identity is what a bit-equal continuation depends on.
func (s *search) identity() (map[string]string, error) {
	digest, err := s.backend.Digest()
	if err != nil {
		return nil, err
	}
	shapes, err := json.Marshal(s.plans)
	if err != nil {
		return nil, err
	}
	return map[string]string{
		"backend": s.backend.Kind,
		"plugin":  digest,
		"device":  s.backend.Device,
		"threads": strconv.Itoa(runtime.GOMAXPROCS(0)),
		"shapes":  string(shapes),
	}, nil
}

// create makes the run's folder and says first of all how to continue it.
func (s *search) create(ctx context.Context, v *voice, out, file string) error {
	dir := out
	if dir == "" {
		var err error
		if dir, err = runs.NextDir("runs", recipeName(file)); err != nil {
			return err
		}
	}
	m, err := s.manifest(ctx)
	if err != nil {
		return err
	}
	if s.store, err = runs.Create(dir, m); err != nil {
		return err
	}
	s.dir = dir
	v.log = s.store.Log
	v.say("run %s; continue it with: mergevo search --resume %s", dir, quote(dir))
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
	for i, n := range s.opened.parents.Names() {
		m.Parents = append(m.Parents, runs.Parent{Ref: n, Path: s.opened.paths[i], Digest: digests[i]})
	}
	return m, nil
}

// resumeSearch continues a run with the recipe it keeps.
func resumeSearch(c *cobra.Command, v *voice, o searchOptions) error {
	for _, f := range []string{"seed", "set", "out", "allow-missing"} {
		if o.flags.Changed(f) {
			return usage(fmt.Errorf("--%s cannot change a run that has begun; --evaluations can", f))
		}
	}
	run, err := runs.Open(o.resume)
	if err != nil {
		return err
	}
	m := run.Manifest()
	s, err := reopen(c, run, o)
	if err != nil {
		_ = run.Close()
		return err
	}
	defer s.close()
	v.log = run.Log
	if o.dryRun {
		return v.tell(s.plan())
	}
	if err := s.openBackend(c, resumeBackend(o, m)); err != nil {
		return err
	}
	if err := s.sameIdentity(m.Identity, o.fork, v); err != nil {
		return err
	}
	return s.run(c.Context(), v, o)
}

// resumeBackend is the backend named on the command line, else the run's.
func resumeBackend(o searchOptions, m runs.Manifest) string {
	if kind := m.Identity["backend"]; !o.flags.Changed("backend") && kind == "go" {
		return kind
	}
	return o.backend
}

// reopen prepares a run's search, checking its models against their digests.
func reopen(c *cobra.Command, run *runs.Run, o searchOptions) (*search, error) {
	m := run.Manifest()
	moved, err := movedModels(m, o.model)
	if err != nil {
		return nil, err
	}
	r, err := recipes.Parse(m.RecipePath, m.Recipe)
	if err != nil {
		return nil, fmt.Errorf("the recipe kept in the run: %w", err)
	}
	if o.flags.Changed("evaluations") {
		if err := r.Set("search.evaluations", fmt.Sprint(o.evaluations)); err != nil {
			return nil, usage(fmt.Errorf("--evaluations: %w", err))
		}
	}
	var missing string
	if _, err := run.Note("allow-missing", &missing); err != nil {
		return nil, err
	}
	o.allowMissing = missing
	s, err := prepare(r, m.RecipePath, o, moved)
	if err != nil {
		return nil, err
	}
	s.store, s.dir = run, o.resume
	digests, err := s.opened.digests(c.Context())
	if err == nil {
		for i, p := range m.Parents {
			if i >= len(digests) || digests[i] != p.Digest {
				err = coded{errDigest, fmt.Errorf("model %s (%s) is not the one the run began with: its content has changed since\nhint: --model %s=PATH names where the old one is", p.Ref, s.opened.paths[i], p.Ref)}
				break
			}
		}
	}
	if err != nil {
		s.opened.close()
		return nil, err
	}
	return s, nil
}

// movedModels maps references to paths: where the models were, or where --model
// says they are now.
func movedModels(m runs.Manifest, flags []string) (map[string]string, error) {
	moved := map[string]string{}
	for _, p := range m.Parents {
		if _, err := os.Stat(p.Path); err == nil {
			moved[p.Ref] = p.Path
		}
	}
	for _, f := range flags {
		old, now, ok := strings.Cut(f, "=")
		if !ok {
			return nil, usage(fmt.Errorf("--model %q: want OLD=NEW", f))
		}
		found := false
		for _, p := range m.Parents {
			if p.Ref == old || p.Path == old {
				abs, err := filepath.Abs(now)
				if err != nil {
					return nil, err
				}
				moved[p.Ref], found = abs, true
			}
		}
		if !found {
			return nil, usage(fmt.Errorf("--model %s: the run has no model %q", f, old))
		}
	}
	return moved, nil
}

// sameIdentity refuses to continue where other bits would come out, or notes it.
func (s *search) sameIdentity(was map[string]string, fork bool, v *voice) error {
	now, err := s.identity()
	if err != nil {
		return err
	}
	var differ []string
	for _, k := range []string{"backend", "plugin", "device", "threads", "shapes"} {
		if was[k] != now[k] {
			differ = append(differ, fmt.Sprintf("%s was %q and is %q", k, was[k], now[k]))
		}
	}
	if len(differ) == 0 {
		return nil
	}
	if !fork {
		return fmt.Errorf("the run cannot be continued bit for bit here: %s\nhint: --fork continues it all the same, and notes where", strings.Join(differ, "; "))
	}
	v.say("forking: %s", strings.Join(differ, "; "))
	return s.store.SetNote("fork", map[string]any{"identity": now, "when": time.Now().UTC()})
}

// quote writes a path so that a shell reads it back.
func quote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=:@%") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
