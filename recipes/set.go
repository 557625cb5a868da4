package recipes

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Set gives a key a value, written as YAML, and checks the whole recipe again;
// on an error the recipe stays as it was. The path is dotted, such as
// search.evaluations, parameters.lambda or models.0.parameters.weight. Keys that
// are not there yet are added.
func (r *Recipe) Set(path, value string) error {
	// Errors point into "path=value", which is what stood on the command line.
	src := newSource("--set", path+"="+value)
	v, err := parseOne("--set", []byte(value))
	if err != nil && strings.TrimSpace(value) == "" {
		v, err = &node{size: 1, depth: 1}, nil // nothing: null
	}
	if err != nil {
		return err
	}
	v = v.moved(src, utf8.RuneCountInString(path)+1)
	var keys []*node
	col := 1
	for part := range strings.SplitSeq(path, ".") {
		keys = append(keys, &node{place: place{src: src, line: 1, col: col}, text: part})
		col += utf8.RuneCountInString(part) + 1
	}
	// One slice is a list of models under another name.
	if r.form == asSlices && len(r.slices) == 1 && keys[0].text == "models" {
		at := keys[0].place
		keys = append([]*node{{place: at, text: "slices"}, {place: at, text: "0"}, {place: at, text: "sources"}}, keys[1:]...)
	}
	root, err := r.root.spelledOut(keys).with(keys, v)
	if err != nil {
		return err
	}
	changed, err := decodeRecipe(r.name, root)
	if err != nil {
		return err
	}
	*r = *changed
	return nil
}

// moved returns the tree as if it stood shift columns into another source. Only
// the first line is shifted: a value on the command line has one.
func (n *node) moved(src *source, shift int) *node {
	c := *n
	c.src = src
	if c.line <= 1 {
		c.line, c.col = 1, max(1, c.col)+shift
	}
	c.keys, c.items = slices.Clone(n.keys), slices.Clone(n.items)
	for i := range c.keys {
		c.keys[i] = c.keys[i].moved(src, shift)
	}
	for i := range c.items {
		c.items[i] = c.items[i].moved(src, shift)
	}
	return &c
}

// spelledOut turns `optimizer: name` into a mapping for keys that go below it,
// which must not lose the name.
func (n *node) spelledOut(keys []*node) *node {
	if len(keys) < 3 || keys[0].text != "search" || keys[1].text != "optimizer" {
		return n
	}
	search, _ := n.get("search")
	old, ok := search.get("optimizer")
	if !ok || old.kind != scalarNode {
		return n
	}
	m := &node{place: old.place, size: 2, depth: 2}
	m.put("name", old)
	m.keys[0].place = old.place
	out, err := n.with(keys[:2], m)
	if err != nil {
		return n
	}
	return out
}

// with returns the tree with the value at the end of the keys replaced or added.
// Nodes on the way are copied: an alias elsewhere keeps its value.
func (n *node) with(keys []*node, v *node) (*node, error) {
	if len(keys) == 0 {
		return v, nil
	}
	k := keys[0]
	if k.text == "" {
		return nil, k.fail("", "the path has an empty key")
	}
	c := *n
	c.keys, c.items = slices.Clone(n.keys), slices.Clone(n.items)
	if n.kind == listNode {
		i, err := strconv.Atoi(k.text)
		if err != nil || i < 0 || i >= len(n.items) {
			return nil, k.fail("", fmt.Sprintf("%q is not an index of a list of %d, which counts from 0", shorten(k.text), len(n.items)))
		}
		item, err := n.items[i].with(keys[1:], v)
		c.items[i] = item
		return &c, err
	}
	// A scalar gives way to a mapping, whose keys are then checked.
	old := &node{place: k.place, size: 1, depth: 1}
	i := slices.IndexFunc(n.keys, func(have *node) bool { return have.text == k.text })
	if i >= 0 {
		old = n.items[i]
	} else {
		i = len(c.keys)
		c.keys, c.items = append(c.keys, k), append(c.items, nil)
	}
	c.kind, c.text, c.literal = mapNode, "", false
	item, err := old.with(keys[1:], v)
	c.items[i] = item
	return &c, err
}

// ErrorAt returns an [*Error] at the value that a dotted path leads to, such as
// search.optimizer.name, or at the nearest value on the way that is there. It is
// for checks that need to know what this package does not.
func (r *Recipe) ErrorAt(path string, msg string) error {
	n := r.root
	at := n.place
	for key := range strings.SplitSeq(path, ".") {
		next, ok := n.get(key)
		if i, err := strconv.Atoi(key); err == nil && n.kind == listNode && i >= 0 && i < len(n.items) {
			next, ok = n.items[i], true
		}
		if !ok {
			break
		}
		n, at = next, next.place
	}
	return at.fail("", msg)
}
