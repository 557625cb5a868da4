package recipes

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Error is a problem at a place in a recipe.
type Error struct {
	// File is the name given to [Parse]; Line and Col count from 1, Col in
	// characters.
	File      string
	Line, Col int
	// Source is the offending line, or the part of a long one around Col.
	Source string
	// Msg says what is wrong.
	Msg string
	// Hint, if not empty, says what might have been meant.
	Hint string

	caret int // of Col in Source, counted in characters from 0
}

// Error returns "file:line:col: message", the source line with a caret under
// the column, and the hint.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: %s", e.File, e.Line, e.Col, e.Msg)
	if strings.TrimSpace(e.Source) != "" {
		fmt.Fprintf(&b, "\n  %s\n  %s^", e.Source, strings.Repeat(" ", e.caret))
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, "\nhint: %s", e.Hint)
	}
	return b.String()
}

// source is a text that nodes point into: the file, or the argument of a --set.
type source struct {
	name  string
	lines []string
}

func newSource(name, text string) *source {
	return &source{name: name, lines: strings.Split(text, "\n")}
}

// place is a position in a source.
type place struct {
	src       *source
	line, col int
}

// excerptWidth is how much of a long line an error shows.
const excerptWidth = 160

// fail makes the error at a place.
func (p place) fail(hint, msg string) *Error {
	e := &Error{Line: max(1, p.line), Col: max(1, p.col), Msg: msg, Hint: hint}
	if p.src == nil {
		return e
	}
	e.File = p.src.name
	if e.Line > len(p.src.lines) {
		return e
	}
	// Only the excerpt is ever decoded: a line may be megabytes long.
	line := p.src.lines[e.Line-1]
	start := 0
	for range e.Col - 1 {
		_, n := utf8.DecodeRuneInString(line[start:])
		start += n
	}
	from, to := start, start
	for n := 0; n < excerptWidth/2 && from > 0; n++ {
		_, size := utf8.DecodeLastRuneInString(line[:from])
		from -= size
		e.caret++
	}
	for n := 0; n < excerptWidth/2 && to < len(line); n++ {
		_, size := utf8.DecodeRuneInString(line[to:])
		to += size
	}
	e.Source = strings.TrimRight(strings.Map(printable, line[from:to]), " ")
	return e
}

// printable keeps a recipe from steering the terminal its error is shown on.
func printable(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case !unicode.IsPrint(r):
		return '?'
	}
	return r
}

// maxProblems is how many errors one parse reports.
const maxProblems = 20

// problems collects what is wrong with a recipe.
type problems struct {
	list []problem
	more int // that were not kept
}

// problem is an Error to be: the excerpt is cut for the few that are shown.
type problem struct {
	place
	msg, hint string
}

// maxKept bounds what a hostile file can make us remember.
const maxKept = 1000

func (ps *problems) at(p place, format string, args ...any) {
	ps.hint(p, "", format, args...)
}

func (ps *problems) hint(p place, hint, format string, args ...any) {
	if len(ps.list) == maxKept {
		ps.more++
		return
	}
	ps.list = append(ps.list, problem{p, fmt.Sprintf(format, args...), hint})
}

// didYouMean is [didYouMean] until there are more problems than are shown.
func (ps *problems) didYouMean(word string, candidates []string) string {
	if len(ps.list) > maxProblems {
		return ""
	}
	return didYouMean(word, candidates)
}

// err joins the problems in the order of their places.
func (ps *problems) err() error {
	if len(ps.list) == 0 {
		return nil
	}
	slices.SortStableFunc(ps.list, func(a, b problem) int {
		return cmp.Or(strings.Compare(a.src.name, b.src.name), a.line-b.line, a.col-b.col)
	})
	// What is shared by an alias has its problem once.
	list := slices.CompactFunc(slices.Clone(ps.list), func(a, b problem) bool {
		return a.place == b.place && a.msg == b.msg
	})
	var errs []error
	for i, p := range list {
		if i == maxProblems {
			errs = append(errs, fmt.Errorf("and %d more", len(list)-i+ps.more))
			break
		}
		errs = append(errs, p.fail(p.hint, p.msg))
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}
