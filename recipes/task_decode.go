package recipes

import (
	"math"
	"regexp"
	"slices"
)

// tasks decodes a list of tasks; split is what shares a file out where a task says
// nothing, zero where files are used whole.
func (d *decoder) tasks(n *node, list string, split Split) []Task {
	var tasks []Task
	var names set[string]
	for _, item := range d.list1(n, list) {
		f := d.fields(item, "a task", keysUnder("tasks"))
		if f == nil {
			continue
		}
		t := d.task(item, f, split)
		if t.Name != "" && !names.add(t.Name) {
			d.at(f["name"].place, "two of %s have the name %q", list, shorten(t.Name))
		}
		tasks = append(tasks, t)
	}
	return tasks
}

func (d *decoder) task(n *node, f map[string]*node, split Split) Task {
	var t Task
	for _, w := range []struct {
		key string
		to  *string
	}{{"name", &t.Name}, {"kind", &t.Kind}} {
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
	for _, key := range keysUnder("tasks") {
		_, fits := kind.Keys[key]
		if v, ok := f[key]; ok && !fits && !slices.Contains(everyTask, key) {
			d.at(v.place, "a task of kind %s has no %s", kind.Name, key)
			delete(f, key)
		}
	}
	for _, key := range kind.Needs {
		if _, ok := f[key]; !ok && !d.meant[key] {
			d.at(n.place, "the task has no %s", key)
		}
	}
	words := t.words()
	for _, key := range keysUnder("tasks") {
		to, isWord := words[key]
		if !isWord {
			continue
		}
		if v, ok := f[key]; ok {
			*to = d.named(v, key)
		} else {
			*to = kind.Keys[key]
		}
	}
	d.programs(&t, f)
	t.Metric = kind.metric(&t)
	if v, ok := f["metric"]; ok {
		t.Metric = d.named(v, "metric")
		if len(kind.Metrics) > 0 {
			d.oneOf(v, "metric", kind.Metrics...)
		}
		if t.Kind == "generate" && (t.Metric == "score") != (t.Scorer != nil) {
			d.hint(v.place, "the metric score is a scorer's, exact_match that of a task without", "metric %s does not go with this task", shorten(t.Metric))
		}
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
	if v, ok := f["chat"]; ok {
		t.Chat = d.oneOf(v, "chat", "true", "false") == "true"
	}
	if v, ok := f["extract"]; ok && t.Extract != "" {
		if _, err := regexp.Compile(t.Extract); err != nil {
			d.at(v.place, "extract: %v", err)
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
	t.Split = split
	if v, ok := f["split"]; ok {
		if split == (Split{}) {
			d.at(v.place, "split is only for the tasks of a search: elsewhere files are used whole")
		}
		t.Split = d.split(v)
	}
	return t
}

// words are the keys of a task whose values are names, where they are kept.
func (t *Task) words() map[string]*string {
	return map[string]*string{"inputs": &t.Inputs, "targets": &t.Targets, "text": &t.Text, "second": &t.Second, "label": &t.Label,
		"data": &t.Data, "prompt": &t.Prompt, "choices": &t.Choices, "extract": &t.Extract, "head": &t.Head, "features": &t.Features, "pooling": &t.Pooling}
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
