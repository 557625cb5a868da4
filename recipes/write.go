package recipes

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"strings"
	"unicode"
)

// writeYAML writes a tree in the one spelling that Marshal gives: two spaces,
// no comments, flow style where a node asks for it or is empty.
func writeYAML(root *node) []byte {
	var w yamlWriter
	w.block(root, 0)
	return w.Bytes()
}

type yamlWriter struct{ bytes.Buffer }

func (n *node) inline() bool {
	return n.kind == scalarNode || n.flow || len(n.items) == 0
}

// block writes a mapping or list from the current column on, which is indent.
func (w *yamlWriter) block(n *node, indent int) {
	if n.inline() {
		w.line(n)
		w.WriteByte('\n')
		return
	}
	for i, item := range n.items {
		if i > 0 {
			w.WriteString(strings.Repeat(" ", indent))
		}
		if n.kind == listNode {
			w.WriteString("- ")
			w.block(item, indent+2)
			continue
		}
		w.WriteString(spell(n.keys[i].text, true))
		w.WriteByte(':')
		if item.inline() {
			w.WriteByte(' ')
			w.line(item)
			w.WriteByte('\n')
			continue
		}
		w.WriteByte('\n')
		w.WriteString(strings.Repeat(" ", indent+2))
		w.block(item, indent+2)
	}
}

// line writes a node in flow style.
func (w *yamlWriter) line(n *node) {
	switch n.kind {
	case scalarNode:
		w.WriteString(spell(n.text, n.literal))
	case listNode:
		w.WriteByte('[')
		for i, item := range n.items {
			if i > 0 {
				w.WriteString(", ")
			}
			w.line(item)
		}
		w.WriteByte(']')
	case mapNode:
		w.WriteByte('{')
		for i, item := range n.items {
			if i > 0 {
				w.WriteString(", ")
			}
			w.WriteString(spell(n.keys[i].text, true))
			w.WriteString(": ")
			w.line(item)
		}
		w.WriteByte('}')
	}
}

// safePlain is a word that every YAML reader takes as a string, in block and
// flow context: it starts with a letter, or like a path.
var safePlain = regexp.MustCompile(`^([A-Za-z_]|\.{0,2}/|[0-9][A-Za-z0-9_-]*/)[A-Za-z0-9_./@+-]*$`)

// reserved are words that some YAML version reads as something else.
var reserved = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|true|false|null)$`)

// spell writes a scalar; literal ones are strings whatever they look like.
func spell(text string, literal bool) string {
	if !literal {
		if canonical, ok := canonicalScalar(text); ok {
			return canonical
		}
	}
	if safePlain.MatchString(text) && !reserved.MatchString(text) {
		return text
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x100 && !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000 && !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		case !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// canonicalScalar is the one spelling of a null, boolean or number that was not
// quoted. Whole numbers keep their digits, however many.
func canonicalScalar(text string) (string, bool) {
	n := &node{text: text}
	switch {
	case n.null():
		return "null", true
	case text == "true" || text == "True" || text == "TRUE":
		return "true", true
	case text == "false" || text == "False" || text == "FALSE":
		return "false", true
	}
	switch strings.ToLower(text) {
	case ".nan":
		return ".nan", true
	case ".inf", "+.inf":
		return ".inf", true
	case "-.inf":
		return "-.inf", true
	}
	v, ok := parseNumber(text)
	if !ok {
		return "", false
	}
	if strings.Trim(text, "+-0123456789") != "" {
		return formatNumber(v), true
	}
	digits := strings.TrimPrefix(text, "+")
	if math.Abs(v) < 1e15 {
		digits = formatNumber(v)
	}
	return digits, true
}

// Constructors of the trees that Marshal writes.

func word(s string) *node        { return &node{text: s, literal: true} }
func numberNode(v float64) *node { return &node{text: formatNumber(v)} }
func intNode(v int) *node        { return &node{text: fmt.Sprint(v)} }

func boolNode(b bool) *node { return &node{text: fmt.Sprint(b)} }

func flowList(items ...*node) *node { return &node{kind: listNode, items: items, flow: true} }

func (n *node) put(key string, v *node) {
	n.kind = mapNode
	n.keys = append(n.keys, word(key))
	n.items = append(n.items, v)
}
