package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/evaluate/statistics"
	"github.com/mergevo/mergevo/internal/xla"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// measuring is the measurement of a statistic of one model on tasks' examples.
type measuring struct {
	kind                   *merge.Statistic
	out, backend           string
	tasks                  []string
	restart, offline, json bool
	memory                 memoryFlags

	opened   *opened
	model    *models.Model
	sets     []*evaluate.Dataset
	on       *xla.Backend
	network  *statistics.Network
	metadata map[string]string
	options  statistics.Options
}

// keepEvery is the least time between two writings of what was measured so far.
const keepEvery = 30 * time.Second

// flags adds those that every measurement has.
func (m *measuring) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVarP(&m.out, "out", "o", "", "file to write, such as model."+m.kind.Name+".safetensors")
	f.StringArrayVar(&m.tasks, "tasks", nil, "a file of tasks, a recipe with a search block, or the folder of a run: the examples that are searched on")
	f.StringVar(&m.memory.limit, "memory", "", "most memory to take of the device, about, such as 8GB (default: what is free); where a model needs more, its tensors are measured in parts, which each go through all examples")
	f.BoolVar(&m.restart, "restart", false, "begin anew, discarding what an interrupted measurement left in FILE.partial")
	f.BoolVar(&m.json, "json", false, "print events as JSON, one a line")
	addBackend(c, &m.backend)
	addOffline(c, &m.offline)
}

// run opens the model and the examples, measures, and says what was written. settings
// are what the measurement depends on besides them.
func (m *measuring) run(c *cobra.Command, model, settings string, measure func(ctx context.Context, source tensors.Source) error) error {
	v := &voice{out: c.OutOrStdout(), err: c.ErrOrStderr(), json: m.json}
	began := time.Now()
	switch {
	case m.out == "":
		return usage(errors.New("--out FILE is needed: where shall it go?"))
	case len(m.tasks) == 0:
		return usage(errors.New("--tasks is needed: a file with tasks says on which examples"))
	case len(m.tasks) > 1:
		return usage(errors.New("--tasks is given twice: one file says on which examples"))
	case filepath.Ext(model) == ".yaml" || filepath.Ext(model) == ".yml":
		or := ""
		if m.kind == merge.GramMatrices {
			or = ", or measure the files that it names with --progressive"
		}
		return usage(fmt.Errorf("%s is a recipe: apply it, and name the model that this writes%s", model, or))
	}
	if err := free(m.out); err != nil {
		return err
	}
	op, _, err := openToScore(c, v, model, m.backend, wholeModels(c, m.offline, m.json))
	if err != nil {
		return err
	}
	defer op.close()
	m.opened = op
	if err := m.prepare(c, settings); err != nil {
		return err
	}
	source := op.models[0].source
	if m.network, err = statistics.Load(m.on.Backend, m.model, source); err != nil {
		return err
	}
	defer m.network.Finalize()
	m.options.Progress = m.bar(v)
	if err := m.ended(measure(c.Context(), source), m.out+" does not exist"); err != nil {
		return err
	}
	return v.tell(measuredEvent{Kind: m.kind.Name, Out: m.out, Examples: examples(m.sets), Seconds: time.Since(began).Seconds()})
}

// bar shows how far a measurement is.
func (m *measuring) bar(v *voice) func(done, all int) {
	progress := newBar(v.err, 0, 0, func(n int64) string { return count(int(n), "step") }, v.json)
	return func(done, all int) {
		progress.grow(int64(all))
		progress.set(int64(done), "measuring")
		if done == all {
			progress.finish()
		}
	}
}

// ended says how a measurement goes on that did not come to its end.
func (m *measuring) ended(err error, without string) error {
	switch {
	case errors.Is(err, context.Canceled):
		return coded{errInterrupted, fmt.Errorf("interrupted; %s; what was measured is in %s, and the same command continues with it", without, m.options.State)}
	case errors.Is(err, statistics.ErrOther):
		return fmt.Errorf("%w\nhint: --restart begins anew", err)
	}
	return err
}

// read reads the examples of a file of tasks as the models read them, and says which
// they are, to their bits.
func (m *measuring) read(tasks string) (sets []*evaluate.Dataset, digest string, err error) {
	r, dir, _, err := readTasks(tasks)
	if err != nil {
		return nil, "", err
	}
	if err := measurable(r.Search, m.kind.Name); err != nil {
		return nil, "", err
	}
	if m.model == nil {
		if m.model, err = modelOf(m.opened, r.Search); err != nil {
			return nil, "", err
		}
	}
	e, err := loadExams(r.Search, dir, m.model, m.opened.donor().folder.Dir())
	if err != nil {
		return nil, "", err
	}
	return e.search, (&exams{search: e.search, metrics: map[string]string{}, panel: e.panel}).digest(), nil
}

// prepare reads the examples and says what is measured, to its bits.
func (m *measuring) prepare(c *cobra.Command, settings string) (err error) {
	var data string
	if m.sets, data, err = m.read(m.tasks[0]); err != nil {
		return err
	}
	if m.on, err = openBackend(c, m.backend); err != nil {
		return err
	}
	room, err := m.memory.room(m.on.Kind)
	if err != nil {
		return err
	}
	if room.device < math.MaxInt64 {
		m.options.Room = max(1, room.device-overhead[m.on.Kind])
	}
	digests, err := m.opened.digests(c.Context())
	if err != nil {
		return err
	}
	digest := digests[m.opened.models[0].ref]
	m.metadata = m.describe(digest, data, settings, m.sets)
	m.options.State, m.options.Every = m.out+".partial", keepEvery
	m.options.Identity = fmt.Sprintf("%s %s %s %s %s %s", m.kind.Name, digest, data, settings, m.on.Kind, fullVersion())
	if m.restart {
		return plainPath(os.RemoveAll(m.options.State))
	}
	return nil
}

// describe is the metadata of a file of statistics.
func (m *measuring) describe(model, data, settings string, sets []*evaluate.Dataset) map[string]string {
	return map[string]string{
		"mergevo_statistic": m.kind.Name, madeOf: model, "mergevo_tasks": data, "mergevo_examples": fmt.Sprint(examples(sets)),
		"mergevo_settings": settings, "mergevo_version": fullVersion(),
	}
}

// measuredEvent is what a measurement wrote.
type measuredEvent struct {
	Kind     string  `json:"kind"`
	Out      string  `json:"out"`
	Examples int     `json:"examples"`
	Seconds  float64 `json:"seconds"`
}

func (measuredEvent) name() string { return "measured" }

func (e measuredEvent) text(w io.Writer) {
	fmt.Fprintf(w, "wrote %s, of %s in %.1f s\n", e.Out, count(e.Examples, "example"), e.Seconds)
}
