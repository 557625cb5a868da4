package recipes

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// target is what a list of filters must give a tensor.
type target struct {
	state targetState
	// value is the number; of an unset tensor the one it gets elsewhere.
	value float64
}

type targetState uint8

const (
	exact targetState = iota
	unset             // no filter may match, or one that gives the same number
	free              // no merge reads it
)

// filtersFor finds a short list of filters that gives each tensor its number,
// nil if there is none to give. Filters are substrings and the first that
// matches wins, so that "layers.1" would catch layers.11: each is tried against
// all names before it is taken, and full names come longest first.
func filtersFor(ts []tensor, want []target, hints []string) *setting {
	l := &filterList{tensors: ts, want: slices.Clone(want)}
	if v, ok := l.single(); ok {
		return &setting{number: v}
	}
	for _, c := range hints {
		if v, ok := l.safe(c); ok {
			l.take(c, v)
		}
	}
	// A filter may become safe once the tensors it also matches are taken.
	common, last := l.common()
	for range 3 {
		for _, c := range layerFilters(ts) {
			if v, ok := l.safe(c); ok && !(last && sameBits(v, common)) {
				l.take(c, v)
			}
		}
	}
	l.fullNames()
	if len(l.entries) == 0 {
		return nil
	}
	return &setting{filters: l.entries}
}

type filterList struct {
	tensors []tensor
	want    []target // free once a filter matches
	entries []filtered
}

func (l *filterList) take(filter string, v float64) {
	l.entries = append(l.entries, filtered{filter: filter, value: setting{number: v}})
	for i, t := range l.tensors {
		if strings.Contains(t.name, filter) {
			l.want[i].state = free
		}
	}
}

// safe reports whether a filter gives no tensor that is left a wrong number, and
// at least one the right one.
func (l *filterList) safe(filter string) (v float64, ok bool) {
	for i, t := range l.tensors {
		w := l.want[i]
		if w.state == free || !strings.Contains(t.name, filter) {
			continue
		}
		if w.state == unset || ok && !sameBits(v, w.value) {
			return 0, false
		}
		v, ok = w.value, true
	}
	return v, ok
}

// single returns the number that all tensors have.
func (l *filterList) single() (float64, bool) { return l.safe("") }

// common returns the number that most of the tensors that are left have, and
// whether it may be the last entry, without filter: not if any is to stay unset.
func (l *filterList) common() (v float64, last bool) {
	count := map[uint64]int{}
	last = true
	most := 0
	for _, w := range l.want {
		switch w.state {
		case unset:
			last = false
		case exact:
			b := math.Float64bits(w.value)
			if count[b]++; count[b] > most {
				v, most = w.value, count[b]
			}
		}
	}
	return v, last && most > 0
}

// fullNames gives the tensors that are left a filter each, but for those with
// the number of the last entry.
func (l *filterList) fullNames() {
	common, last := l.common()
	var told, silent []int
	for i, w := range l.want {
		switch {
		case w.state == exact && !(last && sameBits(w.value, common)):
			told = append(told, i)
		case w.state != free:
			silent = append(silent, i)
		}
	}
	// One whose name contains a filter's would be caught by that, and so is told
	// its number too.
	filters := len(told)
	for _, i := range silent {
		if slices.ContainsFunc(told[:filters], func(j int) bool { return strings.Contains(l.tensors[i].name, l.tensors[j].name) }) {
			told = append(told, i)
		}
	}
	slices.SortStableFunc(told, func(a, b int) int { return len(l.tensors[b].name) - len(l.tensors[a].name) })
	for _, i := range told {
		l.entries = append(l.entries, filtered{filter: l.tensors[i].name, value: setting{number: l.want[i].value}})
	}
	if last {
		l.entries = append(l.entries, filtered{value: setting{number: common}})
	}
}

// layerFilters lists a filter for each layer.
func layerFilters(ts []tensor) []string {
	var filters []string
	var seen set[string]
	for _, t := range ts {
		if t.layer < 0 {
			continue
		}
		if f := t.prefix + strconv.Itoa(t.layer) + "."; seen.add(f) && strings.Contains(t.name, f) {
			filters = append(filters, f)
		}
	}
	return filters
}

func sameBits(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }
