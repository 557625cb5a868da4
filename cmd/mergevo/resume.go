package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/hub"
	"github.com/mergevo/mergevo/internal/xla"
	"github.com/mergevo/mergevo/merge/align"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/runs"
)

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
	id := map[string]string{
		"backend": s.backend.Kind,
		"plugin":  digest,
		"device":  s.backend.Device,
		"threads": strconv.Itoa(runtime.GOMAXPROCS(0)),
		"shapes":  string(shapes),
		// The others may differ with --fork; other examples give other scores.
		"examples": s.exams.digest(),
	}
	if s.onDevice() {
		id["loop"] = "device"
	}
	if s.opened.aligned != nil {
		if id["align"], err = s.opened.digestOfOrders(); err != nil {
			return nil, err
		}
	}
	return id, nil
}

// resumeSearch continues a run with the recipe it keeps.
func resumeSearch(c *cobra.Command, v *voice, o searchOptions) error {
	for _, f := range []string{"seed", "set", "out", "prior", "allow-missing", "repeat"} {
		if o.flags.Changed(f) {
			return usage(fmt.Errorf("--%s cannot change a run that has begun; --evaluations can", f))
		}
	}
	run, err := runs.Open(o.resume)
	if err != nil {
		return err
	}
	_, err = continueSearch(c, v, o, run)
	return err
}

// continueSearch goes on with an open run, and closes it.
func continueSearch(c *cobra.Command, v *voice, o searchOptions, run *runs.Run) (rep reportEvent, err error) {
	s, err := reopen(c, run, o)
	if err != nil {
		_ = run.Close()
		return rep, err
	}
	defer s.close()
	if err := s.niched.refuse(o); err != nil {
		return rep, err
	}
	v.log = run.Log
	was, err := lastIdentity(run)
	if err != nil {
		return rep, err
	}
	s.hosted = was["loop"] == ""
	s.keepShapes(was)
	if err := s.spread(o); err != nil {
		return rep, err
	}
	if o.dryRun {
		return rep, s.dryRun(v, cmp.Or(was["backend"], o.backend))
	}
	if err := s.openBackend(c, resumeBackend(o, was)); err != nil {
		return rep, err
	}
	if err := s.opened.orders(c.Context(), v); err != nil {
		return rep, err
	}
	if err := s.sameIdentity(was, o.fork, v); err != nil {
		return rep, err
	}
	s.shared = o.shared
	return s.run(c.Context(), v, o)
}

// kept are the shapes that a run's scores were made in, on a kind of backend.
type kept struct {
	plans plans
	kind  string
}

// keepShapes takes a run's shapes: others give other bits.
func (s *search) keepShapes(was map[string]string) {
	k := kept{kind: was["backend"]}
	if json.Unmarshal([]byte(was["shapes"]), &k.plans) == nil && k.plans.Search.Rows > 0 {
		s.kept = &k
	}
}

// forkNote is the note of a run that was continued where other bits come out.
type forkNote struct {
	Identity map[string]string `json:"identity"`
	When     time.Time         `json:"when"`
}

// lastIdentity is what the run's last generations were made with.
func lastIdentity(run *runs.Run) (map[string]string, error) {
	var f forkNote
	if ok, err := run.Note("fork", &f); err != nil || ok {
		return f.Identity, err
	}
	return run.Manifest().Identity, nil
}

// resumeBackend is the backend named on the command line, else the run's.
func resumeBackend(o searchOptions, was map[string]string) string {
	kind := was["backend"]
	if o.flags.Changed("backend") || kind == "xla:cuda" {
		return o.backend
	}
	if _, err := xla.Find("cpu"); kind == "xla:cpu" && err != nil {
		return o.backend // auto installs it
	}
	return kind
}

// reopen prepares a run's search, checking its models against their digests.
func reopen(c *cobra.Command, run *runs.Run, o searchOptions) (*search, error) {
	m := run.Manifest()
	moved, err := movedModels(m, o.model)
	if err != nil {
		return nil, err
	}
	r, err := keptRecipe(run)
	if err != nil {
		return nil, err
	}
	if err := mayRun(r.Search, filepath.Dir(m.RecipePath), o.allow || o.dryRun); err != nil {
		return nil, err
	}
	if o.flags.Changed("evaluations") {
		if err := r.Set("search.evaluations", fmt.Sprint(o.evaluations)); err != nil {
			return nil, usage(fmt.Errorf("--evaluations: %w", err))
		}
	}
	s, err := prepareAgain(c.Context(), run, r, moved, wholeModels(c, o.offline, o.json), o.memory)
	if err != nil {
		return nil, err
	}
	s.store, s.dir = run, o.resume
	if err := s.checkSame(c.Context(), m); err != nil {
		s.opened.close()
		return nil, err
	}
	return s, nil
}

// keptRecipe is the recipe that a run keeps.
func keptRecipe(run *runs.Run) (*recipes.Recipe, error) {
	m := run.Manifest()
	r, err := recipes.Parse(m.RecipePath, m.Recipe)
	if err != nil {
		return nil, fmt.Errorf("the recipe kept in the run: %w", err)
	}
	return r, nil
}

// prepareAgain opens what a run was begun with.
func prepareAgain(ctx context.Context, run *runs.Run, r *recipes.Recipe, moved map[string]string, from *downloads, memory memoryFlags) (*search, error) {
	m := run.Manifest()
	var began settings
	if err := json.Unmarshal(m.Settings, &began); err != nil {
		return nil, fmt.Errorf("the settings kept in the run: %w", err)
	}
	how := opening{dir: filepath.Dir(m.RecipePath), moved: moved, hub: from}
	var err error
	if how.missing, err = parseMissing(began.Missing); err != nil {
		return nil, err
	}
	prior, err := keptPrior(run, began.Prior, began.Box)
	if err != nil {
		return nil, err
	}
	s, err := prepare(ctx, r, m.RecipePath, settings{Missing: began.Missing, Prior: began.Prior, prior: prior, memory: memory}, how)
	if err != nil || s.opened.aligned == nil {
		return s, err
	}
	var orders []align.Orders
	if ok, err := run.Note(alignedNote, &orders); err != nil {
		s.opened.close()
		return nil, err
	} else if ok {
		s.opened.aligned.take(orders)
	}
	return s, nil
}

// movedModels maps references to paths: where the models were, or where --model
// says they are now.
func movedModels(m runs.Manifest, flags []string) (map[string]string, error) {
	moved := map[string]string{}
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
	var gone []error
	for _, p := range m.Parents {
		if moved[p.Ref] != "" {
			continue
		}
		path := p.Path
		if commit := onHub(path); commit != "" {
			path = commit // from the cache, or fetched again
		} else if !there(path) {
			var err error
			if path, err = findFile(p.Ref, filepath.Dir(m.RecipePath)); err != nil {
				gone = append(gone, fmt.Errorf("model %s is not at %s any more\nhint: --model %s=PATH says where it is now", p.Ref, p.Path, quote(p.Ref)))
			}
		}
		moved[p.Ref] = path
	}
	return moved, errors.Join(gone...)
}

// there reports whether a model is where it was, with its adapter.
func there(place string) bool {
	exists := func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	}
	path, adapter, ok := cutLast(place, "+")
	return exists(place) || ok && exists(path) && exists(adapter)
}

// onHub is the model from the Hub that lies at a place in its cache, with its adapter;
// "" if any part is none.
func onHub(place string) string {
	if ref, ok := hub.Cached(place); ok {
		return ref.String()
	}
	path, adapter, _ := cutLast(place, "+")
	base, isModel := hub.Cached(path)
	lora, isAdapter := hub.Cached(adapter)
	if !isModel || !isAdapter {
		return ""
	}
	return base.String() + "+" + lora.String()
}

// checkSame refuses models or examples that are not those the run began with.
func (s *search) checkSame(ctx context.Context, m runs.Manifest) error {
	digests, err := s.opened.digests(ctx)
	if err != nil {
		return err
	}
	for _, p := range m.Parents {
		if digests[p.Ref] != p.Digest {
			return coded{errDigest, fmt.Errorf("model %s (%s) is not the one the run began with: its content has changed since\nhint: --model %s=PATH names where the old one is", p.Ref, p.Path, quote(p.Ref))}
		}
	}
	if was := m.Identity["examples"]; was != s.exams.digest() {
		return coded{errDigest, errors.New("the tasks' examples are not those the run began with: a data file or a program has changed since")}
	}
	return nil
}

// sameIdentity refuses to continue where other bits would come out, or notes it.
func (s *search) sameIdentity(was map[string]string, fork bool, v *voice) error {
	now, err := s.identity()
	if err != nil {
		return err
	}
	var differ []string
	for _, k := range []string{"backend", "plugin", "device", "threads", "shapes", "loop", "align"} {
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
	return s.store.SetNote("fork", forkNote{now, time.Now().UTC()})
}
