package recipes

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// nodeKind says which of the three things a node is.
type nodeKind uint8

const (
	scalarNode nodeKind = iota
	listNode
	mapNode
)

// node is a YAML value with its place. Aliases share the node of their anchor;
// nothing is changed in place once a tree is built.
type node struct {
	place
	kind nodeKind
	// text is a scalar's value; literal marks one that was quoted or a block,
	// hence a string whatever it looks like.
	text    string
	literal bool
	// keys are the scalars that name a mapping's items.
	keys  []*node
	items []*node
	// flow asks the writer for one line.
	flow bool
	// size and depth count what aliases expand to.
	size, depth int
}

// get returns a mapping's value.
func (n *node) get(key string) (*node, bool) {
	if n == nil || n.kind != mapNode {
		return nil, false
	}
	for i, k := range n.keys {
		if k.text == key {
			return n.items[i], true
		}
	}
	return nil, false
}

func (n *node) null() bool {
	return n.kind == scalarNode && !n.literal && slices.Contains([]string{"", "~", "null", "Null", "NULL"}, n.text)
}

// describe says what a node is, for an error that expected something else.
func (n *node) describe() string {
	switch {
	case n.kind == listNode:
		return "a list"
	case n.kind == mapNode:
		return "a mapping"
	case n.null():
		return "nothing"
	}
	return strconv.Quote(shorten(n.text))
}

// shorten keeps a word from filling an error message.
func shorten(s string) string {
	if r := []rune(s[:min(len(s), 400)]); len(s) > 400 || len(r) > 80 {
		return string(r[:min(len(r), 80)]) + "..."
	}
	return s
}

// plainNumber is what all YAML versions read as a decimal number, and "1e-3",
// which YAML 1.1 reads as a string and mergekit as a number. Octal, hexadecimal,
// underscores and sexagesimals are left out: YAML 1.1 and 1.2 disagree on them.
var plainNumber = regexp.MustCompile(`^[-+]?(0|[1-9][0-9]*|[0-9]*\.[0-9]+|[0-9]+\.|[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+|\.[0-9]+[eE][-+]?[0-9]+)$`)

// number reads a scalar as a finite number.
func (n *node) number() (float64, bool) {
	if n.kind != scalarNode {
		return 0, false
	}
	return parseNumber(n.text)
}

func parseNumber(s string) (float64, bool) {
	if len(s) > 400 || !plainNumber.MatchString(s) {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil && !math.IsInf(v, 0)
}

// boolean reads a scalar as YAML 1.1 does, which is how mergekit reads it.
func (n *node) boolean() (value, ok bool) {
	if n.kind != scalarNode {
		return false, false
	}
	switch strings.ToLower(n.text) {
	case "true", "yes", "on":
		return true, true
	case "false", "no", "off":
		return false, true
	}
	return false, false
}

// formatNumber is the shortest spelling that reads back to the same bits; an
// exponent appears only where the digits would run long.
func formatNumber(v float64) string {
	if a := math.Abs(v); a == 0 || a >= 1e-5 && a < 1e15 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'e', -1, 64)
}
