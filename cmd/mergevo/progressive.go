package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/statistics"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
)

// described is a model of a recipe whose file of statistics is measured along with the
// merge.
type described struct {
	parent   int    // its number among the merge's parents
	ref, out string // the model, and the file that the recipe names for it
	tasks    string
	sets     []*evaluate.Dataset
	metadata map[string]string
}

// progress measures the files of statistics that a recipe names, along with the merge.
func (m *measuring) progress(c *cobra.Command, file string) (err error) {
	v := &voice{out: c.OutOrStdout(), err: c.ErrOrStderr(), json: m.json}
	began := time.Now()
	switch {
	case m.out != "":
		return usage(errors.New("--out is for one model; with --progressive the recipe names the files, with gram: FILE beside each model"))
	case m.memory.limit != "":
		return usage(errors.New("--memory is not for --progressive, which holds a layer at a time"))
	case len(m.tasks) == 0:
		return usage(errors.New("--tasks is needed: a file with tasks says on which examples, once for all models or once for each"))
	}
	r, err := readRecipe(file)
	if err != nil {
		return err
	}
	how := opening{dir: filepath.Dir(file), hub: wholeModels(c, m.offline, m.json), unmeasured: true}
	if m.opened, err = openModels(c.Context(), r, how); err != nil {
		return err
	}
	defer m.opened.close()
	list, spec, err := m.describedBy(how.dir)
	if err != nil {
		return err
	}
	if m.on, err = openBackend(c, m.backend); err != nil {
		return err
	}
	digests, err := m.opened.digests(c.Context())
	if err != nil {
		return err
	}
	identity, err := m.examine(list, digests, r.Marshal())
	if err != nil {
		return err
	}
	m.options.State, m.options.Identity = list[0].out+".partial", identity
	if err := m.vacant(list); err != nil {
		return err
	}
	if m.restart {
		if err := os.RemoveAll(m.options.State); err != nil {
			return plainPath(err)
		}
	}
	m.options.Progress = m.bar(v)
	if err := m.ended(m.along(c, list, spec), "the files are not there yet"); err != nil {
		return err
	}
	for _, d := range list {
		if err := v.tell(measuredEvent{Kind: m.kind.Name, Out: d.out, Examples: examples(d.sets), Seconds: time.Since(began).Seconds()}); err != nil {
			return err
		}
	}
	return nil
}

// describedBy lists the models that the recipe names a file for, and their merge at the
// start of its holes.
func (m *measuring) describedBy(dir string) (list []*described, spec *merge.Spec, err error) {
	op := m.opened
	box := op.family.Box()
	if spec, err = op.specAt(box.Values(box.Start())); err != nil {
		return nil, nil, err
	}
	switch {
	case spec.Method.Statistic != m.kind:
		return nil, nil, usage(fmt.Errorf("the recipe merges by %s: --progressive measures what regmean reads", spec.Method.Name))
	case op.family.Stacked() || slices.ContainsFunc(op.layout.Parents, func(p recipes.Parent) bool { return p.Names != nil }):
		return nil, nil, usage(errors.New("--progressive goes through models layer by layer, as they are: it takes no slices and no modules"))
	}
	for i, ref := range op.layout.Statistics(m.kind) {
		if ref == "" {
			continue
		}
		d := &described{parent: i, ref: op.layout.Parents[i].Ref, out: ref}
		if !filepath.IsAbs(ref) {
			d.out = filepath.Join(dir, ref)
		}
		if at := slices.IndexFunc(list, func(e *described) bool { return e.out == d.out }); at >= 0 {
			return nil, nil, usage(fmt.Errorf("%s is named for %s and for %s: each model needs a file of its own", ref, list[at].ref, d.ref))
		}
		list = append(list, d)
	}
	if n := len(m.tasks); n != 1 && n != len(list) {
		return nil, nil, usage(fmt.Errorf("--tasks is given %d times for %s: once for all, or once for each in the recipe's order", n, count(len(list), "model")))
	}
	for i, d := range list {
		d.tasks = m.tasks[min(i, len(m.tasks)-1)]
	}
	return list, spec, nil
}

// examine reads the examples, and returns what is measured, to its bits.
func (m *measuring) examine(list []*described, digests map[string]string, recipe []byte) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s %s %s\n%s", m.kind.Name, m.on.Kind, fullVersion(), recipe)
	var data []string
	for _, d := range list {
		var digest string
		var err error
		if d.sets, digest, err = m.read(d.tasks); err != nil {
			return "", err
		}
		data = append(data, digest)
		fmt.Fprintf(h, "%s %s\n", digests[d.ref], digest)
	}
	identity := fmt.Sprintf("sha256:%x", h.Sum(nil))
	for i, d := range list {
		d.metadata = m.describe(digests[d.ref], data[i], "progressive", d.sets)
		d.metadata[alongWith] = identity
	}
	return identity, nil
}

// alongWith is the key of a file's metadata that says which measurement of several
// models it is of.
const alongWith = "mergevo_progressive"

// vacant refuses files that are there, but for those of this measurement, which was ended
// while it wrote them or removed what it had kept.
func (m *measuring) vacant(list []*described) error {
	left := 0
	for _, d := range list {
		if d.there(m.options.Identity) {
			continue
		}
		left++
		if err := free(d.out); err != nil {
			return err
		}
	}
	if _, err := os.Stat(m.options.State); left == 0 && err != nil {
		return free(list[0].out)
	}
	return nil
}

// there reports whether the model's file is one of a measurement.
func (d *described) there(identity string) bool {
	c, err := tensors.Open(d.out)
	if err != nil {
		return false
	}
	defer c.Close()
	return c.Metadata()[alongWith] == identity
}

// along goes through the models' layers, and writes the files when all are measured.
func (m *measuring) along(c *cobra.Command, list []*described, spec *merge.Spec) (err error) {
	var from []tensors.Source
	var sets [][]*evaluate.Dataset
	for _, d := range list {
		at := slices.IndexFunc(m.opened.models, func(o *model) bool { return o.ref == d.ref })
		from, sets = append(from, m.opened.models[at].source), append(sets, d.sets)
	}
	p, err := statistics.NewProgressive(m.on.Backend, m.model, from, m.options.State, m.options.Identity)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	files := make([]tensors.Source, len(m.opened.layout.Parents))
	for i, d := range list {
		files[d.parent] = p.File(i)
	}
	if err := m.opened.parents.Attach(m.kind, files, files); err != nil {
		return err
	}
	spec.Parents = m.opened.parents
	if err := spec.Check(m.opened.parents); err != nil {
		return err
	}
	if err := p.Measure(c.Context(), spec, sets, m.options); err != nil {
		return err
	}
	for i, d := range list {
		if d.there(m.options.Identity) {
			continue
		}
		if err := p.Write(i, d.out, d.metadata); err != nil {
			return err
		}
	}
	return p.Remove()
}
