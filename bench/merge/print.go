package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/mergevo/mergevo/bench/measured"
)

type printer struct {
	out      io.Writer
	markdown bool
	failed   error // of the first write that failed
}

func (p *printer) text(format string, args ...any) {
	if _, err := fmt.Fprintf(p.out, format, args...); err != nil && p.failed == nil {
		p.failed = err
	}
}

// table prints rows under a head, with a title and a blank line around it. Columns
// after the first are numbers.
func (p *printer) table(title string, head []string, rows [][]string) {
	p.text("\n%s\n\n", title)
	if p.markdown {
		line := func(cells []string) { p.text("| %s |\n", strings.Join(cells, " | ")) }
		line(head)
		p.text("|---%s|\n", strings.Repeat("|---:", len(head)-1))
		for _, r := range rows {
			line(r)
		}
		return
	}
	t := tabwriter.NewWriter(p.out, 0, 4, 2, ' ', 0)
	for _, r := range append([][]string{head}, rows...) {
		fmt.Fprintln(t, strings.Join(r, "\t"))
	}
	if err := t.Flush(); err != nil && p.failed == nil {
		p.failed = err
	}
}

// middle is the median as text, - of nothing.
func middle(format string, x []float64) string {
	if len(x) == 0 {
		return "-"
	}
	return fmt.Sprintf(format, measured.Median(x))
}

func each(list []used, of func(used) float64) (out []float64) {
	for _, u := range list {
		out = append(out, of(u))
	}
	return out
}

func wall(u used) float64 { return u.wall }
func cpu(u used) float64  { return u.cpu }
func anon(u used) float64 { return u.anon }

// every is all of them, for the reader who trusts no median.
func every(x []float64) string {
	if len(x) == 0 {
		return "-"
	}
	var out []string
	for _, v := range x {
		out = append(out, fmt.Sprintf("%.2f", v))
	}
	return strings.Join(out, " ")
}
