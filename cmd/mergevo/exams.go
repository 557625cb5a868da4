package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tokenizers/encode"
	"github.com/mergevo/mergevo/tokenizers/template"
)

// exams are the examples of a search by use: what candidates are scored on, what
// the answer is chosen on, and what only the report sees.
type exams struct {
	search, validation, heldOut []*evaluate.Dataset
	metrics                     map[string]string // of each dataset of all
	panel                       panel             // the tasks that programs score
}

// autoLimit is the number of examples of `limit: auto`: a standard error of about
// one point on an accuracy.
const autoLimit = 2000

// loadExams reads the tasks of a search block. dir is the recipe's folder, model the
// folder of the model that brings the tokenizer.
func loadExams(s *recipes.Search, dir string, m *models.Model, model string) (*exams, error) {
	e := &exams{metrics: map[string]string{}}
	tokenizer := sync.OnceValues(func() (*encode.Tokenizer, error) { return encode.Load(model) })
	e.panel.tokenizer = tokenizer
	chat := sync.OnceValues(func() (*template.Template, error) { return template.Load(model) })
	var problems []error
	load := func(t recipes.Task, heldOut bool) {
		if t.Program != nil {
			if err := e.panel.add(t, dir, m, heldOut); err != nil {
				problems = append(problems, fmt.Errorf("task %s: %w", t.Name, err))
			}
			return
		}
		path, err := findFile(t.Data, dir)
		if err != nil {
			problems = append(problems, fmt.Errorf("task %s: %w", t.Name, err))
			return
		}
		task := evaluate.Task{Name: t.Name, Kind: t.Kind, Metric: t.Metric, Data: path, Inputs: t.Inputs, Targets: t.Targets, Rotate: t.Rotate,
			Text: t.Text, Second: t.Second, Label: t.Label, Prompt: t.Prompt, Choices: t.Choices, Pooling: t.Pooling, MaxLength: t.MaxLength, Extract: t.Extract, Stop: t.Stop, MaxTokens: t.MaxTokens,
			Labels: t.Labels, Limit: examplesOf(&t), SampleSeed: t.SampleSeed, Split: evaluate.Split(t.Split)}
		if t.Chat {
			if task.Chat, err = chatting(chat); err != nil {
				problems = append(problems, fmt.Errorf("task %s: %w", t.Name, err))
				return
			}
		}
		for _, f := range []struct {
			name string
			to   *string
		}{{t.Head, &task.Head}, {t.Features, &task.Features}} {
			if f.name == "" {
				continue
			}
			if *f.to, err = findFile(f.name, dir); err != nil {
				problems = append(problems, fmt.Errorf("task %s: %w", t.Name, err))
				return
			}
		}
		parts, err := loadTask(task, m, tokenizer)
		if err == nil && t.Scorer != nil {
			err = e.scored(&t, dir, parts)
		}
		if err != nil {
			problems = append(problems, err)
			return
		}
		if heldOut {
			e.heldOut = append(e.heldOut, parts[evaluate.Search])
			return
		}
		if parts[evaluate.Search] == nil {
			problems = append(problems, fmt.Errorf("task %s: its split leaves no example to search on", t.Name))
			return
		}
		e.search = append(e.search, parts[evaluate.Search])
		if d := parts[evaluate.Validation]; d != nil {
			e.validation = append(e.validation, d)
		}
		if d := parts[evaluate.Test]; d != nil {
			// What candidates are compared by may be smooth; what people read is the
			// kind's own metric.
			d.Metric = t.OwnMetric()
			e.heldOut = append(e.heldOut, d)
		}
	}
	for _, t := range s.Tasks {
		load(t, false)
	}
	for _, t := range s.HeldOut {
		load(t, true)
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return e, evaluate.Overlap(append(e.search[:len(e.search):len(e.search)], e.validation...), e.heldOut)
}

// scored has what models write scored by a program.
func (e *exams) scored(t *recipes.Task, dir string, parts [3]*evaluate.Dataset) error {
	s, err := e.panel.scorer(t, dir)
	if err != nil {
		return fmt.Errorf("task %s: %w", t.Name, err)
	}
	for _, d := range parts {
		if d != nil {
			d.Writing.Score = s.Score
		}
	}
	return nil
}

// chatting shows what a user says as a tokenizer's chat template has it.
func chatting(load func() (*template.Template, error)) (func(string) (string, error), error) {
	t, err := load()
	if err != nil {
		return nil, err
	}
	return func(prompt string) (string, error) {
		return t.Render([]template.Message{{Role: "user", Content: prompt}}, true)
	}, nil
}

// examplesOf is the limit of a task, 0 without one.
func examplesOf(t *recipes.Task) int {
	if t.Limit == recipes.LimitAuto {
		return autoLimit
	}
	return t.Limit
}

// loadTask reads a task's examples as the model reads them.
func loadTask(t evaluate.Task, m *models.Model, tokenizer func() (*encode.Tokenizer, error)) (parts [3]*evaluate.Dataset, err error) {
	switch {
	case m.Text == nil && (t.IsText() || t.Kind != evaluate.Classification):
		return parts, fmt.Errorf("task %s: a model of type %s reads no texts", t.Name, m.Type)
	case m.Image != nil:
		return evaluate.LoadImages(t, m)
	case m.Text == nil && (t.Head != "" || t.Features != ""):
		return parts, fmt.Errorf("task %s: a model of type %s has classes of its own: it takes no head and no features", t.Name, m.Type)
	case m.Text == nil:
		return evaluate.Load(t, m.Input, m.Outputs)
	case !t.IsText():
		return parts, fmt.Errorf("task %s: a model of type %s reads texts: give lines of JSON, a file .jsonl", t.Name, m.Type)
	}
	tok, err := tokenizer()
	if err != nil {
		return parts, fmt.Errorf("task %s: %w", t.Name, err)
	}
	return evaluate.LoadTexts(t, m.Text, tok)
}

// digest identifies the examples, by use, with their labels, and what texts and images
// are read and judged by: tokens, pixels, heads and features.
func (e *exams) digest() string {
	h := sha256.New()
	for _, d := range e.all() {
		fmt.Fprintf(h, "%q %d\n", d.Name, d.Len())
		if d.Sequences != nil {
			fmt.Fprintf(h, "%q %q %q %v %v %q\n", d.Kind, d.Metric, d.Pooling, d.Gold, d.Sequences, d.Answers)
		}
		if w := d.Writing; w != nil {
			fmt.Fprintf(h, "%d %q %v\n", w.MaxTokens, w.Stop, w.Extract)
		}
		if d.Head != nil {
			fmt.Fprintf(h, "%v %v\n", d.Head.Weight, d.Head.Bias)
		}
		if d.Features != nil {
			fmt.Fprintf(h, "%v\n", *d.Features)
		}
		if d.Pixels != nil {
			fmt.Fprintf(h, "%v\n", *d.Pixels)
		}
		for i, k := range d.Keys {
			h.Write(binary.LittleEndian.AppendUint32(k[:], uint32(d.Labels[i])))
		}
	}
	for _, t := range e.panel.Tasks {
		fmt.Fprintf(h, "%q %s %t %v\n", t.Name, t.Asker.Identity(), t.HeldOut, t.Split)
	}
	for _, s := range e.panel.scorers {
		fmt.Fprintf(h, "%q %s\n", s.Task, s.ID)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// parts of the report, the prefix of a dataset's name in its layout.
const (
	onSearch     = "search"
	onValidation = "validation"
	onHeldOut    = "held out"
)

var parts = []string{onSearch, onValidation, onHeldOut}

// all returns every dataset, named by its part, for the report's evaluator.
func (e *exams) all() []*evaluate.Dataset {
	var out []*evaluate.Dataset
	for _, p := range []struct {
		name string
		sets []*evaluate.Dataset
	}{{onSearch, e.search}, {onValidation, e.validation}, {onHeldOut, e.heldOut}} {
		for _, d := range p.sets {
			named := *d
			named.Name = p.name + "/" + d.Name
			e.metrics[named.Name] = d.Metric
			out = append(out, &named)
		}
	}
	return out
}

func examples(sets []*evaluate.Dataset) int {
	n := 0
	for _, d := range sets {
		n += d.Len()
	}
	return n
}

// modelOf loads the forward graph of a checkpoint's folder and checks that the
// tensors are there. It is nil where a search has no task that runs the model here.
func modelOf(o *opened, s *recipes.Search) (*models.Model, error) {
	if !onDevice(s) {
		return nil, nil
	}
	have := o.parents.Merged()
	if o.onto != nil {
		have = o.onto.source.Tensors()
	} else if o.adapters != nil {
		return nil, o.recipe.ErrorAt("models", "adapters are scored on a model: name it with adapted_model, to merge their factors (adapters: {space: factors}), or list MODEL+ADAPTER")
	}
	stacked := o.family != nil && o.family.Stacked()
	if stacked { // of whatever layers candidates have, it is the donor that they resemble
		have = o.donor().source.Tensors()
	}
	m, err := o.loadModel(have, stacked)
	if err != nil {
		return nil, err
	}
	if o.onto != nil && m.Text == nil {
		return nil, o.recipe.ErrorAt("adapted_model", "adapters of a model of type "+m.Type+" cannot be scored alone; merge them on it, as MODEL+ADAPTER")
	}
	if err := m.Check(have); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(o.donor().at.path), err)
	}
	if stacked {
		return m, evaluate.Stackable(m)
	}
	return m, nil
}

// loadModel reads the donor's config.json, told of layers that slices cut or stack.
func (o *opened) loadModel(have []tensors.Info, stacked bool) (*models.Model, error) {
	folder := o.runs().folder
	if o.layout == nil || o.layout.Layers == nil || stacked || !folder.HasConfig() {
		return models.Load(folder.Dir(), have)
	}
	spec, err := o.family.Spec(o.family.Box().Values(o.family.Box().Start()))
	if err != nil {
		return nil, err
	}
	config, _, err := folder.Edit((&merging{opened: o, spec: spec}).edits())
	if err != nil {
		return nil, err
	}
	return models.LoadAs(folder.Dir(), config, have)
}
