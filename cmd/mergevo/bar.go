package main

import (
	"cmp"
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// bar shows progress on stderr: a bar on a terminal, a line every few seconds
// elsewhere, nothing for programs.
type bar struct {
	w           io.Writer
	draw        *progressbar.ProgressBar
	total, from int64
	spell       func(int64) string
	began, last time.Time
}

// lineEvery is the time between progress lines where there is no terminal.
const lineEvery = 10 * time.Second

// newBar shows the way from one count to a total, 0 where the end is unknown.
// spell writes a count: size for bytes, evaluations for candidates.
func newBar(w io.Writer, total, from int64, spell func(int64) string, quiet bool) *bar {
	now := time.Now()
	b := &bar{w: w, total: total, from: from, spell: spell, began: now, last: now}
	switch {
	case quiet:
		b.w = nil
	case isTerminal(w):
		b.draw = progressbar.NewOptions64(cmp.Or(total, -1), progressbar.OptionSetWriter(w),
			progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish(),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionEnableColorCodes(false))
		_ = b.draw.Set64(from)
	}
	return b
}

func (b *bar) set(done int64, what string) {
	switch {
	case b.w == nil:
	case b.draw != nil:
		b.draw.Describe(fmt.Sprintf("%s, %s", b.way(done), what))
		_ = b.draw.Set64(done)
	case time.Since(b.last) >= lineEvery && done > b.from:
		b.last = time.Now()
		fmt.Fprintf(b.w, "mergevo: %s, %s%s\n", b.way(done), what, b.left(done))
	}
}

// grow sets the total, where it was not known from the first.
func (b *bar) grow(total int64) {
	if b.total == total {
		return
	}
	if b.total = total; b.draw != nil {
		b.draw.ChangeMax64(total)
	}
}

// way is "3 of 10", or "3" where the end is unknown.
func (b *bar) way(done int64) string {
	if b.total == 0 {
		return b.spell(done)
	}
	return b.spell(done) + " of " + b.spell(b.total)
}

func (b *bar) left(done int64) string {
	if b.total == 0 {
		return ""
	}
	left := time.Duration(float64(time.Since(b.began)) * float64(b.total-done) / float64(done-b.from))
	return fmt.Sprintf(", about %s left", left.Round(time.Second))
}

func (b *bar) finish() {
	if b.draw != nil {
		_ = b.draw.Clear()
	}
}
