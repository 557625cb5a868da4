package recipes

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// encode writes what differs from the defaults.
func (s *Search) encode() *node {
	n := &node{kind: mapNode}
	if o := s.Optimizer; o.Population == 0 && o.Sigma == 0 && len(o.Options) == 0 {
		n.put("optimizer", word(o.Name))
	} else {
		m := &node{flow: true}
		m.put("name", word(o.Name))
		if o.Population != 0 {
			m.put("population", intNode(o.Population))
		}
		if o.Sigma != 0 {
			m.put("sigma", numberNode(o.Sigma))
		}
		for _, name := range slices.Sorted(maps.Keys(o.Options)) {
			value := word(o.Options[name])
			_, err := strconv.ParseFloat(value.text, 64)
			value.literal = err != nil // a number stands without quotes
			m.put(name, value)
		}
		n.put("optimizer", m)
	}
	if s.Evaluations != 0 {
		n.put("evaluations", intNode(s.Evaluations))
	}
	if s.Time != 0 {
		n.put("time", word(FormatDuration(s.Time)))
	}
	if s.Objective != nil {
		n.put("objective", s.encodeObjective())
	}
	if s.Pareto != nil {
		n.put("pareto", wordList(s.Pareto))
	}
	if s.Descriptors != nil {
		list := flowList()
		for _, p := range s.Descriptors {
			list.items = append(list.items, p.encode())
		}
		n.put("descriptors", list)
	}
	for _, list := range []struct {
		key   string
		tasks []Task
	}{{"tasks", s.Tasks}, {"held_out", s.HeldOut}} {
		if list.tasks == nil {
			continue
		}
		tasks := &node{kind: listNode}
		for i := range list.tasks {
			tasks.items = append(tasks.items, list.tasks[i].encode())
		}
		n.put(list.key, tasks)
	}
	return n
}

func (p Descriptor) encode() *node {
	n := &node{flow: true}
	switch {
	case p.Task != "":
		return word(p.Task)
	case p.Share != "":
		n.put("share", word(p.Share))
	default:
		n.put("answers", word(p.Answers))
	}
	return n
}

// wordList is a list of words on one line.
func wordList(words []string) *node {
	list := flowList()
	for _, w := range words {
		list.items = append(list.items, word(w))
	}
	return list
}

// encodeObjective writes the weights in the order of the tasks.
func (s *Search) encodeObjective() *node {
	order := map[string]int{}
	for i, name := range objectives(s.Tasks) {
		order[name] = i
	}
	names := slices.SortedFunc(maps.Keys(s.Objective), func(a, b string) int { return order[a] - order[b] })
	n := &node{flow: true}
	for _, name := range names {
		n.put(name, numberNode(s.Objective[name]))
	}
	return n
}

func (t *Task) encode() *node {
	n := &node{flow: true}
	n.put("name", word(t.Name))
	n.put("kind", word(t.Kind))
	if t.Data != "" {
		n.put("data", word(t.Data))
	}
	kind, words := taskKind(t.Kind), t.words()
	delete(words, "data")
	if t.Metric != kind.metric(t) {
		n.put("metric", word(t.Metric))
	}
	for _, key := range keysUnder("tasks") {
		if to, ok := words[key]; ok && *to != kind.Keys[key] {
			n.put(key, word(*to))
		}
	}
	if t.Stop != nil {
		n.put("stop", wordList(t.Stop))
	}
	if t.Chat {
		n.put("chat", boolNode(true))
	}
	t.encodePrograms(n)
	if t.MaxTokens != 0 {
		n.put("max_tokens", intNode(t.MaxTokens))
	}
	if t.MaxLength != 0 {
		n.put("max_length", intNode(t.MaxLength))
	}
	if t.Rotate != 0 {
		n.put("rotate", intNode(t.Rotate))
	}
	if t.Labels != nil {
		list := flowList()
		for _, l := range t.Labels {
			list.items = append(list.items, intNode(l))
		}
		n.put("labels", list)
	}
	switch {
	case t.Limit == LimitAuto:
		n.put("limit", word("auto"))
	case t.Limit != 0:
		n.put("limit", intNode(t.Limit))
	}
	if t.SampleSeed != 0 {
		n.put("sample_seed", &node{text: strconv.FormatUint(t.SampleSeed, 10)})
	}
	if t.Split != (Split{}) {
		split := &node{flow: true}
		split.put("search", numberNode(t.Split.Search))
		if t.Split.Validation > 0 {
			split.put("validation", numberNode(t.Split.Validation))
		}
		if t.Split.Test > 0 {
			split.put("test", numberNode(t.Split.Test))
		}
		n.put("split", split)
	}
	return n
}

// FormatDuration drops the zeros of time.Duration's 2h0m0s.
func FormatDuration(t time.Duration) string {
	s := t.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
