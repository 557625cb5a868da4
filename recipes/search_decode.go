package recipes

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mergevo/mergevo/evolve"
)

// search decodes the search block of a recipe, which may be a niche merge.
func (d *decoder) search(n *node, niched bool) *Search {
	f := d.fields(n, "search", keysUnder("search"))
	if f == nil {
		return nil
	}
	byDefault := defaultOptimizer
	if _, ok := f["pareto"]; ok {
		byDefault = paretoOptimizer
	}
	if niched {
		byDefault = nicheOptimizer
	}
	s := &Search{Optimizer: Optimizer{Name: byDefault}}
	if n, ok := f["optimizer"]; ok {
		s.Optimizer = d.optimizer(n, byDefault)
	}
	if n, ok := f["time"]; ok {
		s.Time = d.duration(n)
	}
	if n, ok := f["evaluations"]; ok {
		s.Evaluations = d.whole(n, "evaluations", 1, math.MaxInt32)
	} else if s.Time == 0 {
		s.Evaluations = defaultEvaluations
	}
	if tasks, ok := f["tasks"]; ok {
		s.Tasks = d.tasks(tasks, "tasks")
	} else if !d.meant["tasks"] {
		d.at(n.place, "search needs tasks")
	}
	if n, ok := f["held_out"]; ok {
		s.HeldOut = d.tasks(n, "held_out")
	}
	if n, ok := f["objective"]; ok {
		s.Objective = d.objective(n, s.Tasks)
	}
	if n, ok := f["pareto"]; ok {
		s.Pareto = d.pareto(n, s)
	}
	if n, ok := f["descriptors"]; ok {
		for _, item := range d.list1(n, "descriptors") {
			s.Descriptors = append(s.Descriptors, d.descriptor(item, s.Tasks))
		}
	}
	return s
}

// pareto decodes the tasks to trade off.
func (d *decoder) pareto(n *node, s *Search) []string {
	var names []string
	var seen set[string]
	for _, item := range d.list1(n, "pareto") {
		name := d.taskName(item, "pareto", s.Tasks)
		if !seen.add(name) {
			d.at(item.place, "%s is in the list twice", shorten(name))
		}
		names = append(names, name)
	}
	if len(names) == 1 {
		d.hint(n.place, "an objective needs no pareto", "one task is no trade-off")
	}
	if s.Objective != nil {
		d.at(n.place, "pareto and objective exclude each other")
	}
	if a, ok := evolve.LookupOptimizer(s.Optimizer.Name); ok && !a.Front {
		var fit []string
		for _, a := range evolve.Optimizers() {
			if a.Front {
				fit = append(fit, a.Name)
			}
		}
		d.hint(n.place, "optimizer: "+strings.Join(fit, " or "), "%s does not trade off several tasks", s.Optimizer.Name)
	}
	return names
}

func (d *decoder) taskName(n *node, what string, tasks []Task) string {
	name, ok := d.text(n, "a task's name")
	var names []string
	for _, t := range tasks {
		names = append(names, t.Name)
	}
	if ok && !slices.Contains(names, name) {
		d.hint(n.place, d.didYouMean(name, names), "%s names %q, which is not among tasks", what, shorten(name))
	}
	return name
}

func (d *decoder) descriptor(n *node, tasks []Task) (out Descriptor) {
	if n.kind == scalarNode {
		out.Task = d.taskName(n, "descriptors", tasks)
		return out
	}
	f := d.fields(n, "a descriptor", []string{"share", "answers"})
	if len(f) != 1 {
		d.at(n.place, "a descriptor is a task's name, {share: MODEL} or {answers: LABEL or entropy}, not %s", n.describe())
		return out
	}
	if v, ok := f["share"]; ok {
		out.Share = d.named(v, "share")
	}
	if v, ok := f["answers"]; ok {
		if out.Answers, ok = d.text(v, "answers"); ok && out.Answers != entropyOfAnswers {
			d.whole(v, "answers", 0, math.MaxInt32)
		}
	}
	return out
}

// entropyOfAnswers is a Descriptor's Answers that is no label.
const entropyOfAnswers = "entropy"

func (d *decoder) optimizer(n *node, byDefault string) Optimizer {
	if n.kind == scalarNode {
		return Optimizer{Name: d.optimizerName(n, "optimizer")}
	}
	o := Optimizer{Name: byDefault}
	if name, ok := n.get("name"); ok {
		o.Name = d.optimizerName(name, "name")
	}
	known := keysUnder("search.optimizer")
	a, ok := evolve.LookupOptimizer(o.Name)
	if !ok && n.kind == mapNode {
		for _, k := range n.keys { // it is said already; its options are not known
			known = append(known, k.text)
		}
	}
	for _, p := range a.Options {
		known = append(known, p.Name)
	}
	f := d.fields(n, "optimizer", known)
	for _, p := range a.Options {
		v, ok := f[p.Name]
		if !ok {
			continue
		}
		var text string
		if p.List && v.kind == listNode {
			words, _ := d.words(v, p.Name)
			text, ok = strings.Join(words, ","), true
		} else {
			text, ok = d.text(v, p.Name)
		}
		if err := p.Validate(text); ok && err != nil {
			d.at(v.place, "%s", err)
		}
		if o.Options == nil {
			o.Options = map[string]string{}
		}
		o.Options[p.Name] = text
	}
	if n, ok := f["population"]; ok {
		fewest := 2
		if o.Name == nicheOptimizer {
			fewest = 1 // bred by turns with being scored
		}
		o.Population = d.whole(n, "population", fewest, 1<<20)
	}
	if n, ok := f["sigma"]; ok {
		if o.Sigma = d.real(n, "sigma", 0, math.MaxFloat64); o.Sigma == 0 {
			d.at(n.place, "sigma is a step size above 0, not %s", n.describe())
		}
	}
	return o
}

// optimizerName is a row of evolve's.
func (d *decoder) optimizerName(n *node, what string) string {
	name := d.named(n, what)
	if _, ok := evolve.LookupOptimizer(name); !ok && name != "" {
		var names []string
		for _, a := range evolve.Optimizers() {
			names = append(names, a.Name)
		}
		d.hint(n.place, d.meantKey(name, names, "known: "), "unknown optimizer %q", shorten(name))
	}
	return name
}

func (d *decoder) duration(n *node) time.Duration {
	t, err := time.ParseDuration(n.text)
	if n.kind != scalarNode || err != nil || t <= 0 {
		d.hint(n.place, "write the unit: 2h, 90m, 45s", "time is a duration, not %s", n.describe())
	}
	return t
}

func (d *decoder) objective(n *node, tasks []Task) map[string]float64 {
	if n.kind != mapNode || len(n.keys) == 0 {
		d.at(n.place, "objective is a mapping of task names to weights, not %s", n.describe())
		return nil
	}
	var names []string
	var known set[string]
	for _, t := range tasks {
		names = append(names, t.Name)
		known.add(t.Name)
	}
	o := make(map[string]float64, len(n.keys))
	zero := true
	for i, k := range n.keys {
		if !known[k.text] {
			d.hint(k.place, d.didYouMean(k.text, names), "objective names %q, which is not among tasks", shorten(k.text))
		}
		o[k.text] = d.real(n.items[i], "a weight", -math.MaxFloat64, math.MaxFloat64)
		zero = zero && o[k.text] == 0
	}
	if zero {
		d.at(n.place, "every weight of the objective is 0")
	}
	return o
}

func (d *decoder) tasks(n *node, list string) []Task {
	var tasks []Task
	var names set[string]
	for _, item := range d.list1(n, list) {
		f := d.fields(item, "a task", keysUnder("tasks"))
		if f == nil {
			continue
		}
		t := d.task(item, f, list)
		if t.Name != "" && !names.add(t.Name) {
			d.at(f["name"].place, "two of %s have the name %q", list, shorten(t.Name))
		}
		tasks = append(tasks, t)
	}
	return tasks
}

func (d *decoder) task(n *node, f map[string]*node, list string) Task {
	var t Task
	for _, w := range []struct {
		key string
		to  *string
	}{{"name", &t.Name}, {"kind", &t.Kind}, {"data", &t.Data}} {
		if v, ok := f[w.key]; ok {
			*w.to = d.named(v, w.key)
		} else if !d.meant[w.key] {
			d.at(n.place, "the task has no %s", w.key)
		}
	}
	if v, ok := f["kind"]; ok && t.Kind != "" {
		var names []string
		for _, k := range taskKinds {
			names = append(names, k.Name)
		}
		d.oneOf(v, "kind", names...)
	}
	kind := taskKind(t.Kind)
	words := t.words()
	for _, key := range keysUnder("tasks") {
		to, isWord := words[key]
		if !isWord {
			continue
		}
		v, ok := f[key]
		byDefault, fits := kind.Keys[key]
		switch {
		case ok && fits:
			*to = d.named(v, key)
		case ok:
			d.at(v.place, "a task of kind %s has no %s", kind.Name, key)
		default:
			*to = byDefault
		}
	}
	t.Metric = kind.Metrics[0]
	if v, ok := f["metric"]; ok {
		t.Metric = d.named(v, "metric")
		d.oneOf(v, "metric", kind.Metrics...)
	}
	if v, ok := f["pooling"]; ok && t.Pooling != "" {
		d.oneOf(v, "pooling", poolings...)
	}
	if v, ok := f["max_length"]; ok {
		t.MaxLength = d.whole(v, "max_length", 2, math.MaxInt32)
	}
	if v, ok := f["max_tokens"]; ok {
		t.MaxTokens = d.whole(v, "max_tokens", 1, math.MaxInt32)
	}
	if v, ok := f["stop"]; ok {
		for _, item := range d.list1(v, "stop") {
			t.Stop = append(t.Stop, d.named(item, "stop"))
		}
	}
	if v, ok := f["extract"]; ok && t.Extract != "" {
		if _, err := regexp.Compile(t.Extract); err != nil {
			d.at(v.place, "extract: %v", err)
		}
	}
	for _, key := range []string{"rotate", "labels", "stop", "max_tokens"} {
		if v, ok := f[key]; ok {
			if _, fits := kind.Keys[key]; !fits {
				d.at(v.place, "a task of kind %s has no %s", kind.Name, key)
			}
		}
	}
	if v, ok := f["rotate"]; ok {
		t.Rotate = d.whole(v, "rotate", 0, 270)
		if t.Rotate%90 != 0 {
			d.at(v.place, "rotate is 0, 90, 180 or 270, not %d", t.Rotate)
		}
	}
	if v, ok := f["labels"]; ok {
		var seen set[int]
		for _, item := range d.list1(v, "labels") {
			label := d.whole(item, "a label", 0, math.MaxInt32)
			if !seen.add(label) {
				d.at(item.place, "label %d is in the list twice", label)
			}
			t.Labels = append(t.Labels, label)
		}
	}
	if v, ok := f["limit"]; ok {
		if t.Limit = LimitAuto; v.kind != scalarNode || v.text != "auto" {
			t.Limit = d.whole(v, "limit", 1, math.MaxInt32)
		}
	}
	if v, ok := f["sample_seed"]; ok {
		t.SampleSeed = d.seed(v, "sample_seed")
	}
	if list == "tasks" {
		t.Split = defaultSplit
	}
	if v, ok := f["split"]; ok {
		if list != "tasks" {
			d.at(v.place, "split is only for tasks: what it sets aside for test is held out already")
		}
		t.Split = d.split(v)
	}
	return t
}

// words are the keys of a task whose values are names, where they are kept.
func (t *Task) words() map[string]*string {
	return map[string]*string{"inputs": &t.Inputs, "targets": &t.Targets, "text": &t.Text, "second": &t.Second, "label": &t.Label,
		"prompt": &t.Prompt, "choices": &t.Choices, "extract": &t.Extract, "head": &t.Head, "pooling": &t.Pooling}
}

func (d *decoder) split(n *node) Split {
	f := d.fields(n, "split", []string{"search", "validation", "test"})
	var s Split
	for key, to := range map[string]*float64{"search": &s.Search, "validation": &s.Validation, "test": &s.Test} {
		if v, ok := f[key]; ok {
			*to = d.real(v, key, 0, 1)
		}
	}
	switch {
	case f == nil:
	case s.Search == 0:
		d.at(n.place, "split leaves no examples for the search")
	case s.Search+s.Validation+s.Test > 1+1e-9:
		d.at(n.place, "the shares of split sum to %g, more than 1", s.Search+s.Validation+s.Test)
	}
	return s
}
