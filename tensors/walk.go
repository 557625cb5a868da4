package tensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// walker reads JSON token by token, so that it sees what a decoder into maps
// cannot: duplicate keys, and the byte where each thing stands.
type walker struct {
	dec    *json.Decoder
	data   []byte
	path   string
	base   int64  // where data starts in the file
	tensor string // named in errors while inside its entry
}

// newWalker refuses what is not UTF-8 before a decoder replaces it silently:
// two different names would become one.
func newWalker(path string, base int64, data []byte) (*walker, error) {
	w := &walker{data: data, path: path, base: base}
	for rest := data; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		if r == utf8.RuneError && n == 1 {
			return nil, w.fail(len(data)-len(rest), "not valid UTF-8; the file is damaged: download it again")
		}
		rest = rest[n:]
	}
	w.dec = json.NewDecoder(bytes.NewReader(data))
	w.dec.UseNumber()
	return w, nil
}

func (w *walker) fail(at int, format string, args ...any) error {
	return malformed(w.path, w.base+int64(at), w.tensor, format, args...)
}

// next returns the next token and the index in data where it starts.
func (w *walker) next() (json.Token, int, error) {
	at := w.offset()
	t, err := w.dec.Token()
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return nil, at, w.fail(len(w.data), "the JSON ends too early; the file is damaged: download it again")
	case err != nil:
		return nil, at, w.fail(at, "not valid JSON (%w); the file is damaged: download it again", err)
	}
	return t, at, nil
}

// offset is where the next token starts: past the separators, which the
// decoder checks itself.
func (w *walker) offset() int {
	at := int(w.dec.InputOffset())
	for at < len(w.data) && strings.IndexByte(" \t\r\n,:", w.data[at]) >= 0 {
		at++
	}
	return at
}

func (w *walker) delim(want json.Delim, what string) error {
	t, at, err := w.next()
	if err != nil {
		return err
	}
	if t != want {
		return w.fail(at, "%s must be %s", what, map[json.Delim]string{'{': "a JSON object", '[': "a JSON array"}[want])
	}
	return nil
}

// object reads a whole object. each is called with every key, and where it
// stands, and must read the value.
func (w *walker) object(what string, each func(key string, at int) error) error {
	if err := w.delim('{', what); err != nil {
		return err
	}
	seen := map[string]bool{}
	for w.dec.More() {
		t, at, err := w.next()
		if err != nil {
			return err
		}
		key, ok := t.(string)
		if !ok {
			return w.fail(at, "%s has a key that is not a string", what)
		}
		if seen[key] {
			return w.fail(at, "%s has the key %q twice; readers would disagree on which one counts", what, key)
		}
		seen[key] = true
		if err := each(key, at); err != nil {
			return err
		}
	}
	_, _, err := w.next()
	return err
}

// str reads a string, and says which bytes of data it takes, quotes included.
func (w *walker) str(what string) (s string, from, to int, err error) {
	t, from, err := w.next()
	if err != nil {
		return "", 0, 0, err
	}
	s, ok := t.(string)
	if !ok {
		return "", 0, 0, w.fail(from, "%s must be a string", what)
	}
	return s, from, int(w.dec.InputOffset()), nil
}

// naturals checks an array of numbers from 0 to 1<<63 - 1 and counts them.
func (w *walker) naturals(what string) (count int, err error) {
	if err := w.delim('[', what); err != nil {
		return 0, err
	}
	for w.dec.More() {
		t, at, err := w.next()
		if err != nil {
			return 0, err
		}
		n, ok := t.(json.Number)
		if !ok {
			return 0, w.fail(at, "%s must hold numbers only", what)
		}
		if strings.HasPrefix(n.String(), "-") {
			return 0, w.fail(at, "%s holds the negative number %s", what, n)
		}
		if strings.ContainsAny(n.String(), ".eE") {
			return 0, w.fail(at, "%s holds %s, which is not a whole number", what, n)
		}
		if v, err := strconv.ParseUint(n.String(), 10, 64); err != nil || v > math.MaxInt {
			return 0, w.fail(at, "%s holds %s, which is too large", what, n)
		}
		count++
	}
	_, _, err = w.next()
	return count, err
}

// skip reads any value.
func (w *walker) skip() error {
	at := w.offset()
	var any json.RawMessage
	if err := w.dec.Decode(&any); err != nil {
		return w.fail(at, "not valid JSON (%w); the file is damaged: download it again", err)
	}
	return nil
}

// end checks that only the bytes in padding follow.
func (w *walker) end(padding string) error {
	for at := int(w.dec.InputOffset()); at < len(w.data); at++ {
		if strings.IndexByte(padding, w.data[at]) < 0 {
			return w.fail(at, "%q follows the JSON, where only padding may stand; the file is damaged: download it again", w.data[at])
		}
	}
	return nil
}
