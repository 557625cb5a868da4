package modeldir

import (
	"cmp"
	"slices"
	"strings"
)

// splices are changes to a document that leave all its other bytes alone.
type splices struct {
	*document
	list  []splice
	added map[*value]bool // objects that were empty and are no longer
}

type splice struct {
	from, to int
	text     string
}

func (s *splices) replace(v *value, text string) {
	if s.text(v) != text {
		s.list = append(s.list, splice{v.from, v.to, text})
	}
}

// set gives a key of an object a value, given as JSON. A new key goes to the end,
// spaced as the keys before it.
func (s *splices) set(object *value, key, text string) {
	if v := object.get(key); v != nil {
		s.replace(v, text)
		return
	}
	if n := len(object.members); n > 0 {
		last := object.members[n-1]
		s.list = append(s.list, splice{last.to, last.to, "," + s.lead(last.from) + quote(key) + string(s.data[last.past:last.value.from]) + text})
		return
	}
	comma := ","
	if !s.added[object] {
		comma = ""
	}
	if s.added == nil {
		s.added = map[*value]bool{}
	}
	s.added[object] = true
	s.list = append(s.list, splice{object.to - 1, object.to - 1, comma + quote(key) + ": " + text})
}

// lead is the white space before a place.
func (s *splices) lead(at int) string {
	from := at
	for from > 0 && strings.IndexByte(" \t\r\n", s.data[from-1]) >= 0 {
		from--
	}
	return string(s.data[from:at])
}

// pick is a list's items at these places, spelt and spaced as they are.
func (s *splices) pick(list *value, places []int) string {
	if len(list.items) == 0 || len(places) == 0 {
		return "[]"
	}
	first, last := list.items[0], list.items[len(list.items)-1]
	between := "," + s.lead(first.from)
	if len(list.items) > 1 {
		between = string(s.data[first.to:list.items[1].from])
	}
	var items []string
	for _, i := range places {
		items = append(items, s.text(list.items[i]))
	}
	return string(s.data[list.from:first.from]) + strings.Join(items, between) + string(s.data[last.to:list.to])
}

// bytes returns the document as changed.
func (s *splices) bytes() []byte {
	// Stable: keys added to one object stay in the order they were added.
	slices.SortStableFunc(s.list, func(a, b splice) int { return cmp.Compare(a.from, b.from) })
	var out []byte
	at := 0
	for _, c := range s.list {
		out = append(out, s.data[at:c.from]...)
		out = append(out, c.text...)
		at = c.to
	}
	return append(out, s.data[at:]...)
}
