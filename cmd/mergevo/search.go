package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/runs"
)

// searchOptions are the flags of `mergevo search`.
type searchOptions struct {
	out, resume, apply    string
	prior                 string
	backend, allowMissing string
	seed                  uint64
	evaluations, repeat   int
	ensemble              int
	polish                int
	set, model, baseline  []string
	json, dryRun, probe   bool
	fork, anyway, strict  bool
	offline, allow        bool
	memory                memoryFlags
	devices               string

	flags *pflag.FlagSet

	shared *shared // by the searches of --repeat
}

func newSearch() *cobra.Command {
	var o searchOptions
	c := &cobra.Command{
		Use:   "search FILE | search --resume DIR",
		Short: "Evolve the holes of a recipe",
		Long: `Fills the holes of a recipe by evolution. Every candidate is merged on the device
and scored on the recipe's tasks. The answer is chosen on examples that the search
did not see, among the best candidates, the optimizer's mean, half of the way there
from the start, and the start; it is reported on held-out examples. The run is kept in
a folder and can be continued after any interruption.

A search block needs tasks; the rest has defaults:
` + searchDefaults() + `
Optimizers: ` + strings.Join(optimizers(), ", ") + `; mergevo optimizers says which for what.` + exits(exitFailed, exitUsage, exitCandidates, exitDigest, exitInterrupted),
		Example: `  mergevo search testdata/mnist/search.yaml
  mergevo search testdata/mnist/search.yaml --evaluations 200 --seed 3 --apply merged
  mergevo search testdata/digits/m2n2.yaml --repeat 10
  mergevo search testdata/mnist/search.yaml --set search.optimizer='{name: cmaes, restarts: bipop}' --baseline random
  mergevo search examples/command.yaml --allow-commands
  mergevo search llama.yaml --devices all --memory 70GB
  mergevo search --resume runs/search-1 --evaluations 4000`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.flags = c.Flags()
			v := &voice{out: c.OutOrStdout(), err: c.ErrOrStderr(), json: o.json}
			if err := unknownBaselines(o.baseline); err != nil {
				return err
			}
			switch {
			case o.polish < 0:
				return usage(fmt.Errorf("--polish %d: want a number of steps", o.polish))
			case o.ensemble < 0 || o.ensemble > mostFinalists:
				return usage(fmt.Errorf("--ensemble %d: want 2 to %d", o.ensemble, mostFinalists))
			case o.resume != "" && len(args) > 0:
				return usage(errors.New("give a FILE or --resume DIR, not both: a run keeps its own recipe"))
			case o.resume != "":
				return resumeSearch(c, v, o)
			case o.repeat < 1:
				return usage(fmt.Errorf("--repeat %d: want 1 or more", o.repeat))
			case len(args) == 0:
				return usage(errors.New("which recipe? give a FILE, or --resume DIR\nhint: mergevo search --help"))
			}
			if o.repeat > 1 {
				return repeatSearch(c, v, o, args[0])
			}
			_, err := startSearch(c, v, o, args[0])
			return err
		},
	}
	f := c.Flags()
	f.StringVarP(&o.out, "out", "o", "", "folder of the run (default runs/<recipe>-<n>)")
	f.StringVar(&o.resume, "resume", "", "continue the run in this folder")
	f.StringVar(&o.prior, "prior", "", "begin where this run, of the same models and holes, was good: such as one on fewer examples")
	f.StringVar(&o.apply, "apply", "", "also write the model found to this folder")
	f.Uint64Var(&o.seed, "seed", 0, "seed of the search and of stochastic methods (default: the recipe's)")
	f.IntVar(&o.evaluations, "evaluations", 0, "hard cap on scored candidates (default: the recipe's)")
	f.IntVar(&o.repeat, "repeat", 1, "search so many times, with seeds one behind the other, and print mean and standard error")
	f.StringArrayVar(&o.set, "set", nil, "change a key of the recipe, as in search.optimizer.population=24")
	f.StringArrayVar(&o.model, "model", nil, "with --resume: OLD=NEW, where a model has moved to")
	f.IntVar(&o.ensemble, "ensemble", 0, fmt.Sprintf("also report what a majority of so many of the best candidates answers, at most %d", mostFinalists))
	f.StringSliceVar(&o.baseline, "baseline", nil, "also report the best that other optimizers find with the same budget, such as random or grid,sweep")
	f.BoolVar(&o.json, "json", false, "print events as JSON, one a line")
	f.IntVar(&o.polish, "polish", 0, "then refine what was found by so many steps along the gradient of the loss, reported apart; see mergevo refine")
	f.BoolVar(&o.dryRun, "dry-run", false, "print the plan and exit")
	f.BoolVar(&o.probe, "probe", false, "print the plan, score one generation for its time, and exit")
	f.BoolVar(&o.fork, "fork", false, "with --resume: go on although backend, device or threads differ")
	f.BoolVar(&o.anyway, "anyway", false, "search although the parents' scores say that the tasks may be broken")
	f.BoolVar(&o.strict, "strict", false, "exit with 3 if any candidate failed")
	addMissing(c, &o.allowMissing)
	addBackend(c, &o.backend)
	o.memory.add(c)
	f.StringVar(&o.devices, "devices", "", "score on several devices, a process each: all GPUs, or numbers such as 0,1; on a CPU so many processes")
	addOffline(c, &o.offline)
	addAllow(c, &o.allow)
	return c
}

func searchDefaults() string {
	var b strings.Builder
	for _, k := range recipes.SearchKeys() {
		fmt.Fprintf(&b, "  %-28s %-22s %s\n", k.Path, k.Default, k.Doc)
	}
	return b.String()
}

func optimizers() []string {
	var names []string
	for _, a := range evolve.Optimizers() {
		names = append(names, a.Name)
	}
	return names
}

// startSearch begins a new run.
func startSearch(c *cobra.Command, v *voice, o searchOptions, file string) (rep reportEvent, err error) {
	docs, err := readSearch(file, o)
	if err != nil {
		return rep, err
	}
	if err := mayRun(docs[len(docs)-1].Search, filepath.Dir(file), o.allow || o.dryRun); err != nil {
		return rep, err
	}
	if err := free(o.apply); err != nil {
		return rep, err
	}
	named, r := split(docs)
	given := settings{Missing: o.allowMissing, Prior: o.prior, memory: o.memory}
	if given.prior, err = openPrior(o.prior); err != nil {
		return rep, err
	}
	how := opening{dir: filepath.Dir(file), hub: headersOnly(c, o.offline)}
	if how.missing, err = parseMissing(o.allowMissing); err != nil {
		return rep, err
	}
	how.steps, err = promises(c.Context(), named, how, func(_ *recipes.Recipe, op *opened) error { return op.say(v) })
	if err != nil {
		return rep, err
	}
	s, err := prepare(c.Context(), r, file, given, how)
	if err != nil {
		return rep, err
	}
	defer func() { s.close() }()
	if err := s.spread(o); err != nil {
		return rep, err
	}
	if err := s.niched.refuse(o); err != nil {
		return rep, err
	}
	if err := s.opened.say(v); err != nil {
		return rep, err
	}
	if o.dryRun {
		return rep, s.dryRun(v, o.backend)
	}
	if err := s.openBackend(c, o.backend); err != nil {
		return rep, err
	}
	dir := o.out
	if dir == "" && (!o.probe || len(named) > 0 || r.Init != nil) {
		if dir, err = runs.NextDir("runs", recipeName(file)); err != nil {
			return rep, fmt.Errorf("%w\nhint: --out DIR puts the run elsewhere", err)
		}
	}
	if len(named) > 0 || s.opened.hollow() {
		// All fits: now the weights are worth fetching, and what documents make, making.
		how.hub = wholeModels(c, o.offline, o.json)
		if how.moved, err = documentsOf(c, v, named, how, dir, o.backend); err != nil {
			return rep, err
		}
		if r.Init != nil {
			if how.moved, err = newborn(r, dir+".models"); err != nil {
				return rep, err
			}
		}
		how.steps = nil
		whole, err := prepare(c.Context(), r, file, given, how)
		if err != nil {
			return rep, err
		}
		s.close()
		b := s.backend
		whole.devices = s.devices
		s = whole
		if err := s.use(b); err != nil {
			return rep, err
		}
	}
	if err := s.opened.orders(c.Context(), v); err != nil {
		return rep, err
	}
	if err := s.opened.sayStrangers(c.Context(), v, s.spec); err != nil {
		return rep, err
	}
	if o.probe {
		return rep, s.probe(c.Context(), v)
	}
	if err := s.create(c.Context(), v, dir); err != nil {
		return rep, err
	}
	s.shared = o.shared
	return s.run(c.Context(), v, o)
}

// dryRun prints the plan, for the backend that would be opened.
func (s *search) dryRun(v *voice, backend string) error {
	kind := "xla:cpu"
	switch {
	case strings.Contains(backend, "cuda"):
		kind = "xla:cuda"
	case backend == "go":
		kind = backend
	}
	misfit := s.settle(kind)
	if err := v.tell(s.plan()); err != nil {
		return err
	}
	return misfit
}

// documentsOf merges the named documents of a file into a folder beside the run, which
// keeps them for as long as it is kept, and returns where each is.
func documentsOf(c *cobra.Command, v *voice, named []*recipes.Recipe, how opening, run, backend string) (map[string]string, error) {
	if len(named) == 0 {
		return nil, nil
	}
	abs, err := filepath.Abs(run + ".models")
	if err != nil {
		return nil, err
	}
	made, err := stepMerge{dir: abs, backend: backend}.steps(c, v, named, how)
	at := map[string]string{}
	for _, m := range made {
		at[m.ref] = m.at.path
	}
	return at, err
}

// readSearch reads the documents of a file and the flags that change the last, and
// checks what a search needs of it.
func readSearch(file string, o searchOptions) ([]*recipes.Recipe, error) {
	docs, err := readDocuments(file)
	if err != nil {
		return nil, err
	}
	_, r := split(docs)
	if o.flags.Changed("seed") {
		if err := r.Set("seed", fmt.Sprint(o.seed)); err != nil {
			return nil, usage(err)
		}
	}
	if o.flags.Changed("evaluations") {
		if r.Search != nil {
			if err := r.Set("search.evaluations", fmt.Sprint(o.evaluations)); err != nil {
				return nil, usage(fmt.Errorf("--evaluations: %w", err))
			}
		}
	}
	for _, kv := range o.set {
		key, value, ok := strings.Cut(kv, "=")
		if !ok {
			return nil, usage(fmt.Errorf("--set %q: want key=value", kv))
		}
		if err := r.Set(key, value); err != nil {
			return nil, usage(fmt.Errorf("--set %s: %w", kv, err))
		}
	}
	if err := o.share(r); err != nil {
		return nil, err
	}
	return docs, searchable(r, file)
}

// searchable refuses recipes with holes and nothing to score candidates on, or with
// tasks and no hole.
func searchable(r *recipes.Recipe, file string) error {
	switch {
	case r.Search == nil:
		return usage(fmt.Errorf("%s: no search block says what to score candidates on\nhint: search: {tasks: [{name: ..., kind: classification, data: ...}]}", file))
	case !r.HasHoles():
		return usage(fmt.Errorf("%s: nothing to search: no parameter is a hole\nhint: weight: {search: [0, 1.5]}", file))
	}
	return nil
}

// readRecipe reads a recipe; a file that is not there is a usage error.
func readRecipe(file string) (*recipes.Recipe, error) {
	r, err := recipes.ReadFile(file)
	if err != nil {
		return nil, usage(plainPath(err))
	}
	return r, nil
}

// readDocuments reads a file of one or more recipes.
func readDocuments(file string) ([]*recipes.Recipe, error) {
	docs, err := recipes.ReadDocuments(file)
	if err != nil {
		return nil, usage(plainPath(err))
	}
	return docs, nil
}

// recipeName is a run's name: the file's without its extension.
func recipeName(file string) string {
	base := filepath.Base(file)
	return strings.TrimSuffix(base, filepath.Ext(base))
}
