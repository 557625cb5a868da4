package modeldir

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// FormatError says what is wrong in a JSON file, and where.
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

// document is a JSON file and where each thing stands in it.
type document struct {
	path string
	data []byte
	root *value
}

// value is a JSON value, as the bytes of its document that hold it.
type value struct {
	kind     byte // one of { [ " 0 (a number) t f n
	from, to int
	members  []*member // of an object, in the order of the file
	items    []*value  // of a list
}

type member struct {
	key  string
	from int // where the key's quote opens
	past int // after the quote that closes it
	*value
}

// maxFile bounds the JSON that is read, in bytes: the largest real ones, tokenizer
// configurations with thousands of added tokens, take a few hundred kilobytes.
const maxFile = 64 << 20

// readDocument reads a JSON file whose top is an object. A file that is not there
// is nil.
func readDocument(path string) (*document, error) {
	data, err := readFile(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseDocument(path, data)
}

// readFile reads a small file; pipes and giants are refused before they are read.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a regular file", path)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s: %d bytes, more than the %d that such a file may take", path, info.Size(), maxFile)
	}
	return os.ReadFile(path)
}

func parseDocument(path string, data []byte) (*document, error) {
	root, err := parse(path, data)
	if err != nil {
		return nil, err
	}
	if root.kind != '{' {
		return nil, failAt(path, data, root.from, "must be a JSON object; download the file again")
	}
	return &document{path, data, root}, nil
}

func failAt(path string, data []byte, at int, format string, args ...any) error {
	before := string(data[:at])
	line := strings.Count(before, "\n")
	start := strings.LastIndexByte(before, '\n') + 1
	return &FormatError{path, line + 1, utf8.RuneCountInString(before[start:]) + 1, fmt.Errorf(format, args...)}
}

// text returns the bytes of a value, as spelt.
func (d *document) text(v *value) string { return string(d.data[v.from:v.to]) }

// get follows keys from an object down, and returns nil where one is missing.
func (v *value) get(keys ...string) *value {
	for _, key := range keys {
		if v == nil {
			return nil
		}
		i := slices.IndexFunc(v.members, func(m *member) bool { return m.key == key })
		if i < 0 {
			return nil
		}
		v = v.members[i].value
	}
	return v
}

// is reports whether there is a value, of this kind.
func (v *value) is(kind byte) bool { return v != nil && v.kind == kind }

// str returns a string's text, "" for anything else.
func (d *document) str(v *value) string {
	var s string
	if v.is('"') {
		// The parser has read it: a string of valid JSON cannot fail.
		_ = json.Unmarshal(d.data[v.from:v.to], &s)
	}
	return s
}

// number returns a number's value, and whether it is one.
func (d *document) number(v *value) (float64, bool) {
	if !v.is('0') {
		return 0, false
	}
	x, err := strconv.ParseFloat(d.text(v), 64)
	return x, err == nil
}

// whole returns the value of a number from -1<<53 to 1<<53 without a fraction.
func (d *document) whole(v *value) (int, bool) {
	x, ok := d.number(v)
	if !ok || x != float64(int64(x)) || x > 1<<53 || x < -1<<53 {
		return 0, false
	}
	return int(x), true
}

// canonical spells a value so that equal values have equal spellings: 1e-05 is
// 0.00001, and the order of keys is nothing.
func (d *document) canonical(v *value) string {
	switch {
	case v == nil:
		return "null"
	case v.kind == '0':
		if x, ok := d.number(v); ok {
			if n, ok := d.whole(v); ok {
				return strconv.Itoa(n)
			}
			return strconv.FormatFloat(x, 'g', -1, 64)
		}
	case v.kind == '"':
		return quote(d.str(v))
	case v.kind == '[':
		var parts []string
		for _, item := range v.items {
			parts = append(parts, d.canonical(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case v.kind == '{':
		var parts []string
		for _, m := range v.members {
			parts = append(parts, quote(m.key)+": "+d.canonical(m.value))
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return d.text(v)
}

// quote spells a string in JSON, with nothing escaped that need not be: templates
// are full of < and >.
func quote(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	// Strings cannot fail to encode, nor builders to write.
	_ = e.Encode(s)
	return strings.TrimSuffix(b.String(), "\n")
}
