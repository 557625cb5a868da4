package recipes

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// decoder reads nodes and collects what is wrong with them, so that a user sees
// every problem of a file at once.
type decoder struct {
	problems
	// meant are the keys that unknown ones are near to: those are not missing too.
	meant set[string]
}

// set remembers what was seen; the lists of a recipe may be long.
type set[T comparable] map[T]bool

// add reports whether v is new.
func (s *set[T]) add(v T) bool {
	if *s == nil {
		*s = set[T]{}
	}
	n := len(*s)
	(*s)[v] = true
	return len(*s) > n
}

// fields returns a mapping's values by key, nil if n is no mapping. Keys that
// are not among known are reported.
func (d *decoder) fields(n *node, what string, known []string) map[string]*node {
	if n.kind != mapNode {
		d.at(n.place, "%s is a mapping, not %s", what, n.describe())
		return nil
	}
	f := make(map[string]*node, len(n.keys))
	for i, k := range n.keys {
		if !slices.Contains(known, k.text) {
			d.hint(k.place, d.meantKey(k.text, known, "known here: "), "unknown key %q in %s", shorten(k.text), what)
			continue
		}
		f[k.text] = n.items[i]
	}
	return f
}

// meantKey is a hint for an unknown key: what is near to it, else all there is.
func (d *decoder) meantKey(key string, known []string, all string) string {
	if hint := d.didYouMean(key, known); hint != "" {
		near, _ := nearest(key, known)
		d.meant.add(near)
		return hint
	}
	return all + strings.Join(known, ", ")
}

// text decodes a word; numbers and booleans count as what they are written as.
func (d *decoder) text(n *node, what string) (string, bool) {
	if n.kind != scalarNode || n.null() {
		d.at(n.place, "%s is a word, not %s", what, n.describe())
		return "", false
	}
	return n.text, true
}

// named decodes a word that is not empty.
func (d *decoder) named(n *node, what string) string {
	s, ok := d.text(n, what)
	if ok && s == "" {
		d.at(n.place, "%s is empty", what)
	}
	return s
}

// words decodes a list of different words that are not empty.
func (d *decoder) words(n *node, what string) (words []string, at []place) {
	var seen set[string]
	for _, item := range d.list1(n, what) {
		w := d.named(item, what)
		if !seen.add(w) {
			d.at(item.place, "%q is in the list twice", shorten(w))
		}
		words, at = append(words, w), append(at, item.place)
	}
	return words, at
}

// list1 returns the items of a list that must have one.
func (d *decoder) list1(n *node, what string) []*node {
	switch {
	case n.kind != listNode:
		d.at(n.place, "%s is a list, not %s", what, n.describe())
	case len(n.items) == 0:
		d.at(n.place, "%s is an empty list", what)
	}
	if n.kind != listNode {
		return nil
	}
	return n.items
}

// real decodes a finite number in [lo, hi].
func (d *decoder) real(n *node, what string, lo, hi float64) float64 {
	v, ok := n.number()
	switch {
	case !ok:
		d.at(n.place, "%s is a number, not %s", what, n.describe())
	case v < lo || v > hi:
		d.at(n.place, "%s = %g is outside [%g, %g]", what, v, lo, hi)
	}
	return v
}

// whole decodes a whole number in [lo, hi].
func (d *decoder) whole(n *node, what string, lo, hi int) int {
	v, ok := n.number()
	switch {
	case !ok || v != math.Trunc(v):
		d.at(n.place, "%s is a whole number, not %s", what, n.describe())
	case v < float64(lo) || v > float64(hi):
		d.at(n.place, "%s = %g is outside [%d, %d]", what, v, lo, hi)
	default:
		return int(v)
	}
	return lo
}

// seed decodes any unsigned 64-bit number, none of whose digits may be lost.
func (d *decoder) seed(n *node, what string) uint64 {
	v, err := strconv.ParseUint(n.text, 10, 64)
	if n.kind != scalarNode || err != nil || n.text != strconv.FormatUint(v, 10) {
		d.at(n.place, "%s is a whole number from 0 to 18446744073709551615, not %s", what, n.describe())
	}
	return v
}

// oneOf decodes one of some words.
func (d *decoder) oneOf(n *node, what string, words ...string) string {
	s, ok := d.text(n, what)
	if ok && !slices.Contains(words, s) {
		d.hint(n.place, d.didYouMean(s, words), "%s is %s, not %s", what, strings.Join(words, " or "), n.describe())
	}
	return s
}
