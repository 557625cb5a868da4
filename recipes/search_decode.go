package recipes

import (
	"math"
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
		s.Time = d.duration(n, "time")
	}
	if n, ok := f["evaluations"]; ok {
		s.Evaluations = d.whole(n, "evaluations", 1, math.MaxInt32)
	} else if s.Time == 0 {
		s.Evaluations = defaultEvaluations
	}
	if tasks, ok := f["tasks"]; ok {
		s.Tasks = d.tasks(tasks, "tasks", defaultSplit)
	} else if !d.meant["tasks"] {
		d.at(n.place, "search needs tasks")
	}
	if n, ok := f["held_out"]; ok {
		s.HeldOut = d.tasks(n, "held_out", Split{})
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
		names = append(names, t.Scores()...)
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

func (d *decoder) duration(n *node, what string) time.Duration {
	t, err := time.ParseDuration(n.text)
	if n.kind != scalarNode || err != nil || t <= 0 {
		d.hint(n.place, "write the unit: 2h, 90m, 45s", "%s is a duration, not %s", what, n.describe())
	}
	return t
}

func (d *decoder) objective(n *node, tasks []Task) map[string]float64 {
	if n.kind != mapNode || len(n.keys) == 0 {
		d.at(n.place, "objective is a mapping of task names to weights, not %s", n.describe())
		return nil
	}
	names := objectives(tasks)
	var known set[string]
	for _, name := range names {
		known.add(name)
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

// objectives are the names that an objective may weigh: tasks, and what they are made
// of.
func objectives(tasks []Task) (names []string) {
	for _, t := range tasks {
		names = append(names, t.Name)
		if len(t.Parts) > 1 {
			names = append(names, t.Scores()...)
		}
	}
	return names
}
