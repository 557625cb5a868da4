package tokenizers

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
)

// container is a list or an object of a JSON text, as spelt: what stands before
// the first item, between two and after the last, and the items.
type container struct {
	span
	open, between, shut string
	items               []item
}

// item is an element, or a key and its value, with the place it is sorted to.
type item struct {
	order int
	text  string
}

// container reads the list or object that starts here. read reads each item's
// value, of the given key in an object, and says whether it stays.
func (c *cursor) container(what string, read func(key string) (keep bool, order int, err error)) (*container, error) {
	c.peek()
	k := &container{span: span{from: c.at}}
	first, last, second := span{}, span{}, 0
	n := 0
	element := func(key string, at int) error {
		keep, order, err := read(key)
		here := span{at, c.at}
		if n++; n == 1 {
			first = here
		} else if n == 2 {
			second = at
		}
		last = here
		if keep {
			k.items = append(k.items, item{order, c.text[here.from:here.to]})
		}
		return err
	}
	var err error
	if c.peek() == '[' {
		err = c.list(what, func() error {
			c.peek()
			return element("", c.at)
		})
	} else {
		err = c.object(what, element)
	}
	if err != nil {
		return nil, err
	}
	k.to = c.at
	switch {
	case n == 0:
		k.open, k.shut = c.text[k.from:k.from+1], c.text[k.to-1:k.to]
	default:
		k.open, k.shut = c.text[k.from:first.from], c.text[last.to:k.to]
	}
	if k.between = "," + k.open[1:]; n > 1 {
		k.between = c.text[first.to:second]
	}
	return k, nil
}

// lay gives an empty container the layout of a pretty file: items on lines of
// their own, indented by so many steps of two spaces.
func (k *container) lay(indent int) {
	lead := "\n" + strings.Repeat("  ", indent)
	k.open += lead
	k.shut = lead[:len(lead)-2] + k.shut
	k.between = "," + lead
}

// lead is the line break and the indentation of an item, "" where items share a
// line.
func (k *container) lead() string {
	if i := strings.IndexByte(k.between, '\n'); i >= 0 {
		return k.between[i:]
	}
	return ""
}

// write writes the container as it has become.
func (k *container) write(b *strings.Builder) {
	if len(k.items) == 0 {
		b.WriteString(k.open[:1] + k.shut[len(k.shut)-1:])
		return
	}
	slices.SortStableFunc(k.items, func(a, b item) int { return cmp.Compare(a.order, b.order) })
	b.WriteString(k.open)
	for i, it := range k.items {
		if i > 0 {
			b.WriteString(k.between)
		}
		b.WriteString(it.text)
	}
	b.WriteString(k.shut)
}

// splice replaces containers of a text.
func splice(text string, containers ...*container) []byte {
	slices.SortFunc(containers, func(a, b *container) int { return cmp.Compare(a.from, b.from) })
	var b strings.Builder
	size := len(text)
	for _, k := range containers {
		for _, it := range k.items {
			size += len(it.text) + len(k.between)
		}
	}
	b.Grow(size)
	at := 0
	for _, k := range containers {
		b.WriteString(text[at:k.from])
		k.write(&b)
		at = k.to
	}
	b.WriteString(text[at:])
	return []byte(b.String())
}

// field is a key and a value, as JSON.
type field struct{ key, value string }

// spell writes an object, its keys on lines of their own where lead is not "".
func spell(lead string, fields []field) string {
	between, colon, shut := ",", ":", "}"
	if lead != "" {
		between, colon, shut = ","+lead+"  ", ": ", lead+"}"
	}
	var b strings.Builder
	b.Grow(len(fields) * (len(between) + 32))
	b.WriteString("{" + between[1:])
	for i, f := range fields {
		if i > 0 {
			b.WriteString(between)
		}
		b.WriteString(quote(f.key))
		b.WriteString(colon)
		b.WriteString(f.value)
	}
	return b.String() + shut
}

// quote spells a string in JSON, with nothing escaped that need not be.
func quote(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r == 0x7f || r == 0x2028 || r == 0x2029 }) < 0 {
		return `"` + s + `"`
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	// Strings cannot fail to encode, nor builders to write.
	_ = e.Encode(s)
	return strings.TrimSuffix(b.String(), "\n")
}
