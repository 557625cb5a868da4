package main

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// bar shows progress on stderr: a bar on a terminal, a line every few seconds
// elsewhere, nothing for programs.
type bar struct {
	w     io.Writer
	draw  *progressbar.ProgressBar
	total int
	began time.Time
	last  time.Time
	from  int
}

// lineEvery is the time between progress lines where there is no terminal.
const lineEvery = 10 * time.Second

func newBar(w io.Writer, total, from int, quiet bool) *bar {
	now := time.Now()
	b := &bar{w: w, total: total, began: now, last: now, from: from}
	switch {
	case quiet:
		b.w = nil
	case isTerminal(w):
		b.draw = progressbar.NewOptions(total, progressbar.OptionSetWriter(w),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish(),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionEnableColorCodes(false))
		_ = b.draw.Set(from)
	}
	return b
}

func (b *bar) set(done int, what string) {
	switch {
	case b.w == nil:
	case b.draw != nil:
		b.draw.Describe(what)
		_ = b.draw.Set(done)
	case time.Since(b.last) >= lineEvery && done > b.from:
		b.last = time.Now()
		left := time.Duration(float64(time.Since(b.began)) * float64(b.total-done) / float64(done-b.from))
		fmt.Fprintf(b.w, "mergevo: %d of %d, %s, about %s left\n", done, b.total, what, left.Round(time.Second))
	}
}

func (b *bar) finish() {
	if b.draw != nil {
		_ = b.draw.Clear()
	}
}
