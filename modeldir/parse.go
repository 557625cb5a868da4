package modeldir

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// maxDepth bounds how deep JSON may nest; real files stay under ten.
const maxDepth = 200

// parser reads JSON as Python does, hence with NaN and Infinity, which the
// configurations of some models hold and encoding/json refuses.
type parser struct {
	path string
	data []byte
	at   int
}

func parse(path string, data []byte) (*value, error) {
	p := &parser{path: path, data: data}
	if bytes.HasPrefix(data, []byte("\uFEFF")) {
		return nil, p.fail(0, "starts with a byte order mark, which JSON readers refuse; save it as UTF-8 without one")
	}
	if bytes.HasPrefix(data, []byte("version https://git-lfs")) {
		return nil, p.fail(0, "a Git LFS pointer, not the file; run `git lfs pull`")
	}
	for at := 0; at < len(data); {
		r, n := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && n == 1 {
			return nil, p.fail(at, "byte 0x%02x is not UTF-8; download the file again", data[at])
		}
		at += n
	}
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	p.space()
	if p.at < len(data) {
		return nil, p.fail(p.at, "%s follows the end of the JSON", p.seen())
	}
	return v, nil
}

func (p *parser) fail(at int, format string, args ...any) error {
	return failAt(p.path, p.data, at, format, args...)
}

// seen names what stands here, for errors.
func (p *parser) seen() string {
	if p.at >= len(p.data) {
		return "the end of the file"
	}
	r, _ := utf8.DecodeRune(p.data[p.at:])
	return fmt.Sprintf("%q", r)
}

func (p *parser) space() {
	for p.at < len(p.data) && bytes.IndexByte([]byte(" \t\r\n"), p.data[p.at]) >= 0 {
		p.at++
	}
}

// next skips space and reports whether c stands there; if so it steps over it.
func (p *parser) next(c byte) bool {
	p.space()
	if p.at < len(p.data) && p.data[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *parser) value(depth int) (*value, error) {
	p.space()
	if depth > maxDepth {
		return nil, p.fail(p.at, "nested more than %d deep", maxDepth)
	}
	v := &value{from: p.at}
	var err error
	switch rest := p.data[p.at:]; {
	case len(rest) == 0:
		return nil, p.fail(p.at, "the JSON ends where a value must stand; the file is cut short: download it again")
	case rest[0] == '{':
		err = p.object(v, depth)
	case rest[0] == '[':
		err = p.list(v, depth)
	case rest[0] == '"':
		v.kind, err = '"', p.str()
	default:
		v.kind, err = p.word()
	}
	v.to = p.at
	return v, err
}

func (p *parser) object(v *value, depth int) error {
	v.kind = '{'
	p.at++
	if p.next('}') {
		return nil
	}
	seen := map[string]bool{}
	for {
		p.space()
		m := &member{from: p.at}
		if p.at >= len(p.data) || p.data[p.at] != '"' {
			return p.fail(p.at, "want a key in double quotes, not %s", p.seen())
		}
		if err := p.str(); err != nil {
			return err
		}
		m.past = p.at
		if err := json.Unmarshal(p.data[m.from:m.past], &m.key); err != nil {
			return p.fail(m.from, "%w", err)
		}
		if seen[m.key] {
			return p.fail(m.from, "the key %q stands twice, and readers disagree on which one counts; remove one", m.key)
		}
		seen[m.key] = true
		if !p.next(':') {
			return p.fail(p.at, "want a colon after the key %q, not %s", m.key, p.seen())
		}
		var err error
		if m.value, err = p.value(depth + 1); err != nil {
			return err
		}
		v.members = append(v.members, m)
		if p.next('}') {
			return nil
		}
		if !p.next(',') {
			return p.fail(p.at, "want a comma or } after the value of %q, not %s", m.key, p.seen())
		}
	}
}

func (p *parser) list(v *value, depth int) error {
	v.kind = '['
	p.at++
	if p.next(']') {
		return nil
	}
	for {
		item, err := p.value(depth + 1)
		if err != nil {
			return err
		}
		v.items = append(v.items, item)
		if p.next(']') {
			return nil
		}
		if !p.next(',') {
			return p.fail(p.at, "want a comma or ] in the list, not %s", p.seen())
		}
	}
}

// str steps over a string.
func (p *parser) str() error {
	from := p.at
	for p.at++; p.at < len(p.data); p.at++ {
		switch c := p.data[p.at]; {
		case c == '"':
			p.at++
			// Escapes are checked by the one that decodes them.
			if !json.Valid(p.data[from:p.at]) {
				return p.fail(from, "a string with a wrong escape")
			}
			return nil
		case c == '\\':
			p.at++
		case c < ' ':
			return p.fail(p.at, "a string holds the control character 0x%02x; write it as \\u%04x", c, c)
		}
	}
	p.at = len(p.data)
	return p.fail(from, "a string that does not end")
}

// word steps over a number, true, false, null, or what Python writes for numbers
// that are none.
func (p *parser) word() (kind byte, err error) {
	from := p.at
	for p.at < len(p.data) && bytes.IndexByte([]byte(" \t\r\n,:[]{}\""), p.data[p.at]) < 0 {
		p.at++
	}
	word := p.data[from:p.at]
	switch string(word) {
	case "true", "false", "null":
		return word[0], nil
	case "NaN", "Infinity", "-Infinity":
		return '0', nil
	}
	if len(word) > 0 && (word[0] == '-' || word[0] >= '0' && word[0] <= '9') && json.Valid(word) {
		return '0', nil
	}
	p.at = from
	if len(word) == 0 {
		return 0, p.fail(from, "want a value, not %s", p.seen())
	}
	return 0, p.fail(from, "%.40q is no JSON value", word)
}
