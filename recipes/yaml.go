package recipes

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds on what is read, so that a recipe from a stranger costs little. A
// recipe that names a value for each tensor of a large model stays well inside.
const (
	maxBytes = 16 << 20
	maxMarks = 1 << 19 // punctuation: each mark costs the YAML parser about a kilobyte
	maxNodes = 1 << 20 // after aliases are expanded
	maxDepth = 64
	maxKeys  = 5000 // of a mapping in block style: the parser is quadratic in them
)

// parseYAML reads the documents of a file into nodes, at least one.
func parseYAML(name string, data []byte) (roots []*node, err error) {
	head := place{src: &source{name: name}, line: 1, col: 1}
	if len(data) > maxBytes {
		return nil, head.fail("", fmt.Sprintf("a recipe of %d bytes: the limit is %d", len(data), maxBytes))
	}
	data = bytes.TrimPrefix(data, []byte("\uFEFF"))
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	src := newSource(name, string(data))
	head.src = src
	if p, msg := checkText(src, data); msg != "" {
		return nil, p.fail("", msg)
	}
	// The YAML parser has panicked on odd input before; a recipe must not.
	defer func() {
		if r := recover(); r != nil {
			roots, err = nil, head.fail("", fmt.Sprintf("the YAML parser cannot read this: %v", r))
		}
	}()
	tokens := lexer.Tokenize(string(data))
	if e := checkTokens(src, tokens); e != nil {
		return nil, e
	}
	if e := checkWords(src, tokens); e != nil {
		return nil, e
	}
	// Duplicate keys are found in convert: the parser's own search is quadratic.
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, syntaxError(head, err)
	}
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		c := &converter{src: src, anchors: map[string]*node{}}
		root, err := c.convert(doc.Body, 1)
		if err != nil {
			return nil, err
		}
		roots = append(roots, root)
	}
	if roots == nil {
		return nil, head.fail("", "the file is empty")
	}
	return roots, nil
}

// checkText finds bytes that no recipe may hold, and counts punctuation.
func checkText(src *source, data []byte) (place, string) {
	p := place{src: src, line: 1, col: 1}
	marks := 0
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return p, fmt.Sprintf("byte 0x%02x is not UTF-8", data[i])
		case r == '\n':
			p.line, p.col = p.line+1, 0
			marks++
		case r < ' ' && r != '\t' || r == 0x7f:
			return p, fmt.Sprintf("control character 0x%02x: write it as \"\\x%02x\" in double quotes", r, r)
		case strings.ContainsRune(`,:[]{}?&*!|>#%'"`, r):
			marks++
		case r == '-' && (i+1 == len(data) || data[i+1] == ' ' || data[i+1] == '\n'):
			marks++
		}
		if marks > maxMarks {
			return p, fmt.Sprintf("the recipe is too large: more than %d marks of punctuation", maxMarks)
		}
		p.col++
		i += size
	}
	return p, ""
}

// checkTokens refuses what the parser would recurse into or what has no place in
// a recipe.
func checkTokens(src *source, tokens token.Tokens) *Error {
	depth, dashes := 0, 0
	var keys keyCounter
	for i, tk := range tokens {
		p := at(src, tk)
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.TagType:
			return p.fail("remove it", fmt.Sprintf("the tag %s is not supported", shorten(tk.Value)))
		case token.DirectiveType:
			return p.fail("remove it", "YAML directives are not supported")
		case token.MappingKeyType:
			return p.fail("", "keys written with ? are not supported")
		case token.MergeKeyType:
			return p.fail("write the keys out", "merge keys (<<) are not supported")
		case token.AnchorType:
			if i+2 < len(tokens) && tokens[i+2].Type == token.AnchorType {
				return p.fail("", "two anchors on one value")
			}
		}
		if depth == 0 && keys.add(tk) > maxKeys {
			return p.fail("", fmt.Sprintf("a mapping of more than %d keys", maxKeys))
		}
		dashes++
		if tk.Type != token.SequenceEntryType {
			dashes = 0
		}
		if depth > maxDepth || dashes > maxDepth {
			return p.fail("", fmt.Sprintf("nested more than %d deep", maxDepth))
		}
	}
	return nil
}

// keyCounter counts the keys of the block mappings that are open, by column.
type keyCounter []struct{ column, keys int }

// add counts the token if it ends a key, and returns the keys at its column.
func (c *keyCounter) add(tk *token.Token) int {
	if tk.Position == nil || tk.Type != token.SequenceEntryType && (tk.Type != token.MappingValueType || tk.Prev == nil || tk.Prev.Position == nil) {
		return 0
	}
	column := tk.Position.Column
	if tk.Type == token.MappingValueType {
		column = tk.Prev.Position.Column
	}
	open := *c
	for len(open) > 0 && open[len(open)-1].column > column {
		open = open[:len(open)-1]
	}
	defer func() { *c = open }()
	if tk.Type == token.SequenceEntryType {
		return 0
	}
	if len(open) == 0 || open[len(open)-1].column < column {
		open = append(open, struct{ column, keys int }{column: column})
	}
	open[len(open)-1].keys++
	return open[len(open)-1].keys
}

func at(src *source, tk *token.Token) place {
	if tk == nil || tk.Position == nil {
		return place{src: src, line: 1, col: 1}
	}
	return place{src: src, line: tk.Position.Line, col: tk.Position.Column}
}

// syntaxError gives the parser's complaint our form.
func syntaxError(head place, err error) error {
	var positioned interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if !errors.As(err, &positioned) {
		return head.fail("", err.Error())
	}
	p := at(head.src, positioned.GetToken())
	hint := ""
	if p.line >= 1 && p.line <= len(head.src.lines) {
		line := head.src.lines[p.line-1]
		if strings.Contains(line[:len(line)-len(strings.TrimLeft(line, " \t"))], "\t") {
			hint = spacesNotTabs
		}
	}
	return p.fail(hint, shorten(strings.Map(printable, strings.ReplaceAll(positioned.GetMessage(), "\t", `\t`))))
}
