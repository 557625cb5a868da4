package tokenizers

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// FormatError says what is wrong in a file, and where.
type FormatError struct {
	Path      string
	Line, Col int // from 1; Col counts characters
	Err       error
}

// Error returns path, line, column and reason on one line.
func (e *FormatError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %v", e.Path, e.Line, e.Col, e.Err)
}

// Unwrap returns the reason.
func (e *FormatError) Unwrap() error { return e.Err }

// cursor walks through JSON once, from start to end: a vocabulary of 150,000
// tokens needs no tree. Strings without escapes are slices of the text.
type cursor struct {
	path  string
	text  string
	at    int
	depth int
}

// maxDepth bounds how deep JSON may nest; real files stay under ten.
const maxDepth = 200

// span is bytes [from, to) of a text.
type span struct{ from, to int }

// newCursor stands before the object that the text must be.
func newCursor(path, text string) (*cursor, error) {
	c := &cursor{path: path, text: text}
	switch {
	case strings.HasPrefix(text, "version https://git-lfs"):
		return nil, c.fail(0, "a Git LFS pointer, not the file; run `git lfs pull`")
	case strings.HasPrefix(text, "\uFEFF"):
		return nil, c.fail(0, "starts with a byte order mark, which JSON readers refuse; save it as UTF-8 without one")
	}
	if !utf8.ValidString(text) {
		for i, r := range text {
			if _, n := utf8.DecodeRuneInString(text[i:]); r == utf8.RuneError && n == 1 {
				return nil, c.fail(i, "byte 0x%02x is not UTF-8; download the file again", text[i])
			}
		}
	}
	if c.peek() != '{' {
		return nil, c.fail(c.at, "must be a JSON object, not %s; download the file again", c.seen())
	}
	return c, nil
}

func (c *cursor) fail(at int, format string, args ...any) error {
	before := c.text[:at]
	start := strings.LastIndexByte(before, '\n') + 1
	return &FormatError{c.path, strings.Count(before, "\n") + 1, utf8.RuneCountInString(before[start:]) + 1, fmt.Errorf(format, args...)}
}

// seen names what stands here, for errors.
func (c *cursor) seen() string {
	if c.at >= len(c.text) {
		return "the end of the file"
	}
	r, _ := utf8.DecodeRuneInString(c.text[c.at:])
	return strconv.QuoteRune(r)
}

// peek skips space and returns the byte that stands there, 0 at the end.
func (c *cursor) peek() byte {
	for ; c.at < len(c.text); c.at++ {
		switch b := c.text[c.at]; b {
		case ' ', '\t', '\r', '\n':
		default:
			return b
		}
	}
	return 0
}

// end fails where anything follows.
func (c *cursor) end() error {
	if c.peek(); c.at < len(c.text) {
		return c.fail(c.at, "%s follows the end of the JSON", c.seen())
	}
	return nil
}

// object reads an object: each is called with every key, and where it stands, and
// must read its value.
func (c *cursor) object(what string, each func(key string, at int) error) error {
	return c.within(what, '{', '}', func() error {
		c.peek()
		at := c.at
		key, err := c.str("a key of " + what)
		if err != nil {
			return err
		}
		if c.peek() != ':' {
			return c.fail(c.at, "want a colon after the key %q, not %s", key, c.seen())
		}
		c.at++
		return each(key, at)
	})
}

// list reads a list: each is called before every item and must read it.
func (c *cursor) list(what string, each func() error) error {
	return c.within(what, '[', ']', each)
}

func (c *cursor) within(what string, open, shut byte, each func() error) error {
	if c.peek() != open {
		return c.fail(c.at, "%s must start with %c, not %s", what, open, c.seen())
	}
	if c.depth++; c.depth > maxDepth {
		return c.fail(c.at, "nested more than %d deep", maxDepth)
	}
	c.at++
	if c.peek() == shut {
		c.at, c.depth = c.at+1, c.depth-1
		return nil
	}
	for {
		if err := each(); err != nil {
			return err
		}
		switch c.peek() {
		case shut:
			c.at, c.depth = c.at+1, c.depth-1
			return nil
		case ',':
			c.at++
		default:
			return c.fail(c.at, "want a comma or %c in %s, not %s", shut, what, c.seen())
		}
	}
}

// str reads a string.
func (c *cursor) str(what string) (string, error) {
	if c.peek() != '"' {
		return "", c.fail(c.at, "%s must be a string in double quotes, not %s", what, c.seen())
	}
	start := c.at + 1
	for i := start; i < len(c.text); i++ {
		switch b := c.text[i]; {
		case b == '"':
			c.at = i + 1
			return c.text[start:i], nil
		case b == '\\':
			return c.escaped(what, start, i)
		case b < ' ':
			return "", c.fail(i, "a control character in %s; write it as \\u%04x", what, b)
		}
	}
	return "", c.fail(start-1, "%s has no closing quote; the file is cut short: download it again", what)
}

// escaped reads the rest of a string that starts at start and has its first
// backslash at i.
func (c *cursor) escaped(what string, start, i int) (string, error) {
	var out strings.Builder
	out.WriteString(c.text[start:i])
	for i < len(c.text) {
		b := c.text[i]
		switch {
		case b == '"':
			c.at = i + 1
			return out.String(), nil
		case b < ' ':
			return "", c.fail(i, "a control character in %s; write it as \\u%04x", what, b)
		case b != '\\':
			out.WriteByte(b)
			i++
			continue
		}
		r, n, err := escape(c.text[i:])
		if err != nil {
			return "", c.fail(i, "%w in %s", err, what)
		}
		out.WriteRune(r)
		i += n
	}
	return "", c.fail(start-1, "%s has no closing quote; the file is cut short: download it again", what)
}

var (
	errEscape    = errors.New("an unknown escape")
	errSurrogate = errors.New("half of a surrogate pair, which is no character,")
)

// escape decodes what a backslash starts, and returns its length.
func escape(s string) (rune, int, error) {
	if len(s) < 2 {
		return 0, 0, errEscape
	}
	if i := strings.IndexByte(`"\/bfnrt`, s[1]); i >= 0 {
		return rune("\"\\/\b\f\n\r\t"[i]), 2, nil
	}
	r, ok := hex4(s)
	if !ok {
		return 0, 0, errEscape
	}
	if !utf16.IsSurrogate(r) {
		return r, 6, nil
	}
	if low, ok := hex4(s[6:]); ok {
		if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
			return r, 12, nil
		}
	}
	return 0, 0, errSurrogate
}

func hex4(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(n), err == nil
}

// word reads a number or a name without quotes.
func (c *cursor) word() string {
	c.peek()
	start := c.at
	for c.at < len(c.text) && strings.IndexByte(" \t\r\n,:{}[]\"", c.text[c.at]) < 0 {
		c.at++
	}
	return c.text[start:c.at]
}

// id reads a token's id.
func (c *cursor) id(what string) (int, error) {
	c.peek()
	at := c.at
	n, err := strconv.ParseUint(c.word(), 10, 31)
	if err != nil {
		c.at = at
		return 0, c.fail(at, "%s must be a whole number from 0 to 2147483647, not %s", what, c.seen())
	}
	return int(n), nil
}

// boolean reads true or false.
func (c *cursor) boolean(what string) (bool, error) {
	c.peek()
	at := c.at
	switch c.word() {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	c.at = at
	return false, c.fail(at, "%s must be true or false, not %s", what, c.seen())
}

// skip reads any value.
func (c *cursor) skip() error {
	switch c.peek() {
	case '{':
		return c.object("an object", func(string, int) error { return c.skip() })
	case '[':
		return c.list("a list", c.skip)
	case '"':
		_, err := c.str("a string")
		return err
	}
	at := c.at
	switch w := c.word(); w {
	case "true", "false", "null", "NaN", "Infinity", "-Infinity":
		return nil
	default:
		if _, err := strconv.ParseFloat(w, 64); w != "" && (err == nil || errors.Is(err, strconv.ErrRange)) {
			return nil
		}
	}
	c.at = at
	return c.fail(at, "want a value, not %s", c.seen())
}
