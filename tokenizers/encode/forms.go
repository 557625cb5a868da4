package encode

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// longestRun is how many marks in a row golang.org/x/text keeps in one piece: behind more
// it puts a joiner of its own, which Unicode's forms do not have (UAX 15, 13).
const longestRun = 30

// form is a normalizer of Unicode: NFC, NFD, NFKC or NFKD, of an earlier Unicode than Go's.
func form(f norm.Form) func(string) string {
	part := func(s string) string {
		if manyMarks(s) {
			return exactly(f, s)
		}
		return f.String(s)
	}
	return func(s string) string {
		if strings.IndexFunc(s, isLaterForm) < 0 {
			return part(s)
		}
		var b strings.Builder
		for s != "" {
			at := strings.IndexFunc(s, isLaterForm)
			if at < 0 {
				at = len(s)
			}
			b.WriteString(part(s[:at]))
			s = s[at:]
			rest := strings.TrimLeftFunc(s, isLaterForm)
			b.WriteString(s[:len(s)-len(rest)])
			s = rest
		}
		return b.String()
	}
}

func isLaterForm(r rune) bool { return unicode.Is(laterForms, r) }

// manyMarks reports whether a text has so many marks in a row that [exactly] is needed;
// a character may hold three of them.
func manyMarks(s string) bool {
	run := 0
	for at, r := range s {
		switch {
		case r < 0x300, norm.NFKD.PropertiesString(s[at:]).CCC() == 0 && !unicode.Is(unicode.M, r):
			run = 0
		default:
			run++
		}
		if run > longestRun/3-2 {
			return true
		}
	}
	return false
}

// exactly is a form by its definition (UAX 15): characters decomposed one by one, marks
// ordered by class, and for the composed forms put together again, however many there are.
func exactly(f norm.Form, s string) string {
	decomposed := norm.NFD
	if f == norm.NFKC || f == norm.NFKD {
		decomposed = norm.NFKD
	}
	class := func(r rune) int { return int(norm.NFD.PropertiesString(string(r)).CCC()) }
	var all []rune
	for _, r := range s {
		all = append(all, []rune(decomposed.String(string(r)))...)
	}
	for from := 0; from < len(all); {
		to := from
		for to < len(all) && class(all[to]) > 0 {
			to++
		}
		slices.SortStableFunc(all[from:to], func(a, b rune) int { return class(a) - class(b) })
		from = to + 1
	}
	if f == norm.NFD || f == norm.NFKD {
		return string(all)
	}
	var out []rune
	starter, last := -1, -1 // last is the class behind the starter, -1 where nothing is
	for _, r := range all {
		c := class(r)
		if starter >= 0 && last < c {
			if both := []rune(norm.NFC.String(string([]rune{out[starter], r}))); len(both) == 1 {
				out[starter] = both[0]
				continue
			}
		}
		if last = c; c == 0 {
			starter, last = len(out), -1
		}
		out = append(out, r)
	}
	return string(out)
}
