package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/runs"
	"github.com/mergevo/mergevo/tensors"
)

func newEval() *cobra.Command {
	var tasks, backend string
	var others []string
	var show int
	var asJSON, offline, allow bool
	var memory memoryFlags
	c := &cobra.Command{
		Use:   "eval MODEL|RECIPE --tasks FILE|RUN",
		Short: "Score a model, or the merge a recipe describes",
		Long: `Scores a checkpoint, or a recipe without holes, on the tasks of a search file or of
a run, in the shapes that the search used: a model that search found and apply
wrote gets exactly the score that search reported. A file of nothing but tasks,
as in a search block, scores on all of their examples. Of a file of several recipes
the last is scored; what the others make is merged into a temporary folder.` + exits(exitFailed, exitUsage, exitDigest, exitInterrupted),
		Example: "  mergevo eval merged --tasks testdata/mnist/search.yaml\n  mergevo eval merged --tasks examples/command.yaml --allow-commands\n  mergevo eval runs/search-1/best.yaml --tasks runs/search-1",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			v := &voice{out: c.OutOrStdout(), err: c.ErrOrStderr(), json: asJSON}
			return runEval(c, v, args[0], tasks, backend, others, show, allow, memory, wholeModels(c, offline, asJSON))
		},
	}
	c.Flags().StringVar(&tasks, "tasks", "", "a recipe with a search block, or the folder of a run")
	c.Flags().StringArrayVar(&others, "against", nil, "another model or recipe, as many times as there are: also the difference to it on the same examples, with its paired interval")
	c.Flags().BoolVar(&asJSON, "json", false, "print events as JSON, one a line")
	c.Flags().IntVar(&show, "show", 0, "also show so many examples of each task on texts or images: what was asked, answered and right")
	addBackend(c, &backend)
	memory.add(c)
	addOffline(c, &offline)
	addAllow(c, &allow)
	return c
}

func runEval(c *cobra.Command, v *voice, model, tasks, backend string, others []string, show int, allow bool, memory memoryFlags, models *downloads) error {
	if tasks == "" {
		tasks = model // a recipe may bring its own
	}
	r, dir, fixed, err := readTasks(tasks)
	if err != nil {
		return err
	}
	if err := mayRun(r.Search, dir, allow); err != nil {
		return err
	}
	op, spec, err := openToScore(c, v, model, backend, models)
	if err != nil {
		return err
	}
	defer op.close()
	if err := op.orders(c.Context(), v); err != nil {
		return err
	}
	m, err := modelOf(op, r.Search)
	if err != nil {
		return err
	}
	e, err := loadExams(r.Search, dir, m, op.runs().folder.Dir())
	if err != nil {
		return err
	}
	b, err := openBackend(c, backend)
	if err != nil {
		return err
	}
	pl, err := evalPlans(c.Context(), r, dir, m, e, fixed, models, b.Kind == "xla:cuda")
	if err != nil {
		return err
	}
	room, forced, err := memory.read(b.Kind)
	if err != nil {
		return err
	}
	in, err := newFitting(m, e, op, spec, b.Kind).settle(room, pl, fixed != nil, forced)
	if err != nil {
		return err
	}
	if err := e.panel.whole(r, op); err != nil {
		return err
	}
	defer e.panel.close()
	if len(others) > 0 && len(e.panel.Tasks) > 0 {
		return usage(errors.New("--against is not for tasks that programs score: run eval on each model"))
	}
	if err := e.panel.open(stage{opened: op, backend: b, seed: r.Seed(), dir: dir}); err != nil {
		return err
	}
	a, err := newArena(b, op.parents, op.putOn(), m, e, in, r.Search)
	if err != nil {
		return err
	}
	defer a.close()
	if pl.Report.Blocks {
		spec.Parents = op.parents
	}
	one := &entry{Name: model, spec: spec}
	if err := a.mark(c.Context(), []*entry{one}); err != nil {
		return err
	}
	if one.result.Err != nil {
		return one.result.Err
	}
	if v.json {
		for _, t := range a.scores(one) {
			if err := v.tell(t); err != nil {
				return err
			}
		}
	}
	if err := v.tell(evalEvent{a.board([]*entry{one}, true)}); err != nil {
		return err
	}
	for _, other := range others {
		err := a.against(c, v, one, other, backend, models, pl.Report.Blocks, func(op *opened) (*arena, error) {
			m, err := modelOf(op, r.Search)
			if err != nil {
				return nil, err
			}
			return newArena(b, op.parents, op.putOn(), m, e, in, r.Search)
		})
		if err != nil {
			return err
		}
	}
	shower, ok := a.report.(interface {
		Examples(n int) []evaluate.Example
	})
	if !ok && show > 0 {
		return usage(fmt.Errorf("--show is not for models of type %s", m.Type))
	}
	if ok {
		for _, e := range shower.Examples(show) {
			if err := v.tell(exampleEvent{e}); err != nil {
				return err
			}
		}
	}
	return nil
}

// exampleEvent is one example as the model answered it.
type exampleEvent struct{ evaluate.Example }

func (exampleEvent) name() string { return "example" }

func (e exampleEvent) text(w io.Writer) {
	fmt.Fprintf(w, "\n%s\n", e.Task)
	for _, l := range [][2]string{{"prompt", e.Prompt}, {"output", e.Output}, {"answer", e.Answer}, {"want", e.Want}} {
		if l[1] != "" {
			fmt.Fprintf(w, "  %-7s %s\n", l[0], strings.ReplaceAll(l[1], "\n", "\n          "))
		}
	}
	fmt.Fprintf(w, "  %-7s %.4g\n", "score", e.Score)
}

// scoreEvent is a model's score on a task.
type scoreEvent struct {
	Part     string   `json:"part"`
	Task     string   `json:"task"`
	Metric   string   `json:"metric"`
	Value    float64  `json:"value"`
	Interval *float64 `json:"interval,omitempty"`
	Examples int      `json:"examples"`
}

func (scoreEvent) name() string { return "score" }

func (scoreEvent) text(io.Writer) {}

// scores are an entry's, task by task, as each metric is known. The interval is the
// half width of 95 %, of metrics that are means of their examples' scores.
func (a *arena) scores(e *entry) (out []scoreEvent) {
	for _, t := range a.report.Layout() {
		part, task, _ := strings.Cut(t.Task, "/")
		metric := cmp.Or(a.metric(t.Task), evaluate.Accuracy)
		s := scoreEvent{Part: part, Task: task, Metric: metric, Value: evaluate.Shown(metric, e.Tasks[t.Task]), Examples: t.Count}
		if metric != evaluate.Perplexity && metric != evaluate.Spearman {
			mean := evaluate.Mean([]evaluate.ItemRange{t}, a.report.Keys(), map[string]float64{t.Task: 1}, e.result.Items)
			s.Interval = &mean.Half
		}
		out = append(out, s)
	}
	return out
}

// openToScore opens a checkpoint as a merge of itself, or a recipe's models.
func openToScore(c *cobra.Command, v *voice, path, backend string, models *downloads) (*opened, *merge.Spec, error) {
	ctx := c.Context()
	if ext := filepath.Ext(path); ext == ".yaml" || ext == ".yml" {
		op, err := openRecipeToScore(c, v, path, backend, models)
		if err != nil {
			return nil, nil, err
		}
		spec, err := op.family.Spec(nil)
		if err == nil {
			err = op.checkDigests(ctx)
		}
		if err != nil {
			op.close()
			return nil, nil, err
		}
		return op, spec, nil
	}
	m, err := (&opening{hub: models}).open(ctx, path)
	if err != nil {
		return nil, nil, err
	}
	op := &opened{recipe: &recipes.Recipe{}, layout: &recipes.Arrangement{}, models: []*model{m}}
	if m.bare() {
		err = usage(fmt.Errorf("%s is an adapter: score it on its model, as MODEL+%s", path, path))
	}
	if err == nil {
		op.parents, err = merge.NewParents([]string{path}, []tensors.Source{m.source}, nil, merge.MissingRefuse, false)
	}
	if err != nil {
		op.close()
		return nil, nil, err
	}
	return op, constant("linear", merge.Part{Base: -1, Inputs: []int{0}}, []float64{1}, nil, &merge.Spec{}), nil
}

// openRecipeToScore opens the models of a file's last recipe. What its other documents make
// is merged into a temporary folder, which lasts as long as the models are open.
func openRecipeToScore(c *cobra.Command, v *voice, path, backend string, models *downloads) (op *opened, err error) {
	docs, err := readDocuments(path)
	if err != nil {
		return nil, err
	}
	for _, r := range docs {
		if r.HasHoles() {
			return nil, usage(fmt.Errorf("%s has holes; mergevo search fills them", path))
		}
	}
	named, last := split(docs)
	how := opening{dir: filepath.Dir(path), hub: models}
	if len(named) == 0 {
		return openModels(c.Context(), last, how)
	}
	// Everything is checked before anything is merged.
	if how.steps, err = promises(c.Context(), named, how, func(*recipes.Recipe, *opened) error { return nil }); err != nil {
		return nil, err
	}
	if op, err = openModels(c.Context(), last, how); err != nil {
		return nil, err
	}
	op.close()
	dir, err := os.MkdirTemp("", "mergevo-documents-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	if how.steps, err = (stepMerge{dir: dir, backend: backend}).steps(c, v, named, how); err != nil {
		return nil, err
	}
	if op, err = openModels(c.Context(), last, how); err != nil {
		return nil, err
	}
	op.made = dir
	return op, nil
}

// readTasks returns the recipe that names the tasks, its folder, and the shapes of
// the run it comes from, if it comes from one.
func readTasks(path string) (r *recipes.Recipe, dir string, fixed *plans, err error) {
	if info, statErr := os.Stat(path); statErr == nil && info.IsDir() {
		run, err := runs.Read(path)
		if err != nil {
			return nil, "", nil, fmt.Errorf("--tasks %s: %w", path, err)
		}
		defer run.Close()
		m := run.Manifest()
		if r, err = recipes.Parse(m.RecipePath, m.Recipe); err != nil {
			return nil, "", nil, err
		}
		fixed = &plans{}
		if err := json.Unmarshal([]byte(m.Identity["shapes"]), fixed); err != nil {
			return nil, "", nil, fmt.Errorf("%s: the shapes kept in the run: %w", path, err)
		}
		return r, filepath.Dir(m.RecipePath), fixed, nil
	}
	if ext := filepath.Ext(path); ext != ".yaml" && ext != ".yml" {
		return nil, "", nil, usage(errors.New("--tasks is needed: a file with tasks, a recipe with a search block, or the folder of a run"))
	}
	list, ok, err := recipes.ReadTasks(path)
	if err != nil {
		return nil, "", nil, usage(plainPath(err))
	}
	if ok {
		return &recipes.Recipe{Search: list}, filepath.Dir(path), nil, nil
	}
	docs, err := readDocuments(path)
	if err != nil {
		return nil, "", nil, err
	}
	if _, r = split(docs); r.Search == nil {
		return nil, "", nil, usage(fmt.Errorf("%s has no search block with tasks; name one with --tasks", path))
	}
	return r, filepath.Dir(path), nil, nil
}

// evalPlans are the shapes of a run, or those that a search with this recipe would
// choose: the same, so the same scores.
func evalPlans(ctx context.Context, r *recipes.Recipe, dir string, m *models.Model, e *exams, fixed *plans, from *downloads, gpu bool) (plans, error) {
	if fixed != nil {
		return *fixed, nil
	}
	st := settingsOf(r.Search)
	if st.Population == 0 && r.HasHoles() {
		op, err := openModels(ctx, r, opening{dir: dir, hub: from})
		if err != nil {
			return plans{}, err
		}
		defer op.close()
		if err := checkOptimizer(op, &st); err != nil {
			return plans{}, err
		}
	}
	return newPlans(m, e, r.Stacked(), st.Population, gpu), nil
}

// evalEvent is a model's scores.
type evalEvent struct{ board }

func (evalEvent) name() string { return "eval" }

func (e evalEvent) text(w io.Writer) { e.board.text(w) }
