package encode

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mergevo/mergevo/tokenizers"
)

// matcher finds added tokens in a text: the leftmost, of those the longest.
type matcher struct {
	by map[byte][]pattern // by first byte, longest first
}

type pattern struct {
	text string
	tokenizers.Added
}

func (m *matcher) add(a tokenizers.Added, text string) {
	if text == "" {
		return
	}
	if m.by == nil {
		m.by = map[byte][]pattern{}
	}
	list := append(m.by[text[0]], pattern{text, a})
	slices.SortStableFunc(list, func(a, b pattern) int { return len(b.text) - len(a.text) })
	m.by[text[0]] = list
}

// each calls between for the parts of p that are not added tokens, and found for
// the ids of those that are, in order.
func (m *matcher) each(p piece, between func(piece), found func(id int)) {
	text, done := p.text, 0
	part := func(to int) {
		if done < to {
			between(piece{text[done:to], p.first && done == 0})
		}
	}
	for at := 0; at < len(text); {
		a := m.at(text, at)
		if a == nil {
			at++
			continue
		}
		from, to := at, at+len(a.text)
		at = to // the next may begin in the space that this one takes along, as in the reference
		if a.SingleWord && (endsWithWord(text[:from]) || startsWithWord(text[to:])) {
			continue
		}
		if a.LStrip {
			from = max(done, len(strings.TrimRightFunc(text[:from], unicode.IsSpace)))
		}
		if a.RStrip {
			to = len(text) - len(strings.TrimLeftFunc(text[to:], unicode.IsSpace))
		}
		part(from)
		if from < to { // or it is all taken already
			found(a.ID)
		}
		done = to
	}
	part(len(text))
}

func (m *matcher) at(text string, at int) *pattern {
	list := m.by[text[at]]
	for i := range list {
		if strings.HasPrefix(text[at:], list[i].text) {
			return &list[i]
		}
	}
	return nil
}

func endsWithWord(s string) bool {
	r, n := utf8.DecodeLastRuneInString(s)
	return n > 0 && isWord(r)
}

func startsWithWord(s string) bool {
	r, n := utf8.DecodeRuneInString(s)
	return n > 0 && isWord(r)
}
