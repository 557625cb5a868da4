package main

import (
	"encoding/json"
	"fmt"
	"io"
)

// line is one comparison. Ours and Baseline are medians over the rounds. Ratio is
// the median of the rounds' ratios, and what the aim is held against; Best is the
// ratio of the best times.
type line struct {
	Event    string  `json:"event"`
	What     string  `json:"what"`
	Unit     string  `json:"unit"`
	Ours     float64 `json:"ours"`
	Baseline float64 `json:"baseline"`
	Ratio    float64 `json:"ratio"`
	Best     float64 `json:"best"`
	// Percent says that the ratios are percentages.
	Percent bool `json:"percent,omitempty"`
	// Aim is the bound on Ratio, from below if AtLeast; 0 is none.
	Aim     float64 `json:"aim,omitempty"`
	AtLeast bool    `json:"at_least,omitempty"`
	Met     *bool   `json:"met,omitempty"`
}

// setup is what was measured, and on what.
type setup struct {
	Event      string `json:"event"`
	Backend    string `json:"backend"`
	Plugin     string `json:"plugin,omitempty"`
	Cores      int    `json:"cores"`
	Candidates int    `json:"candidates"`
	Examples   int    `json:"examples"`
	Flops      int    `json:"flops_an_example"`
	Rounds     int    `json:"rounds"`
}

type printer struct {
	out, talk io.Writer
	json      bool
}

func (p *printer) setup(s setup) error {
	s.Event = "setup"
	if p.json {
		return p.object(s)
	}
	_, err := fmt.Fprintf(p.out, "%s %s, %d cores; %d candidates on %d examples of %d kFLOP; %d rounds\n\n%-78s %12s %12s %9s %9s %8s\n",
		s.Backend, s.Plugin, s.Cores, s.Candidates, s.Examples, s.Flops/1000, s.Rounds,
		"what", "ours", "baseline", "ratio", "of best", "aim")
	return err
}

func (p *printer) line(l line) error {
	l.Event = "line"
	aim, met := "", ""
	unit := "x"
	if l.Percent {
		unit = " %"
	}
	if l.Aim != 0 {
		ok := l.Ratio <= l.Aim
		aim, met = fmt.Sprintf("<= %g%s", l.Aim, unit), "missed"
		if l.AtLeast {
			ok = l.Ratio >= l.Aim
			aim = fmt.Sprintf(">= %g%s", l.Aim, unit)
		}
		if ok {
			met = "met"
		}
		l.Met = &ok
	}
	if p.json {
		return p.object(l)
	}
	number := func(x float64, unit string) string { return fmt.Sprintf("%.2f%s", x, unit) }
	_, err := fmt.Fprintf(p.out, "%-78s %12s %12s %9s %9s %8s %s\n", l.What,
		fmt.Sprintf("%.4g %s", l.Ours, l.Unit), fmt.Sprintf("%.4g %s", l.Baseline, l.Unit), number(l.Ratio, unit), number(l.Best, unit), aim, met)
	return err
}

// note is talk, which no program reads.
func (p *printer) note(text string) { fmt.Fprintln(p.talk, "bench:", text) }

func (p *printer) object(v any) error { return json.NewEncoder(p.out).Encode(v) }
