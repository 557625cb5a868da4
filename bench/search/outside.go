package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mergevo/mergevo/bench/measured"
	"github.com/mergevo/mergevo/bench/started"
	"github.com/mergevo/mergevo/internal/xla"
)

// spent is what a search says of its time.
type spent struct {
	seconds, device float64
	// first is the time of the first generation, most of it compilation.
	first float64
}

func (s spent) outside() float64 { return s.seconds - s.device }

// outside measures the share of a whole search's time between device calls: asking,
// telling, storing, reporting.
func outside(ctx context.Context, b *xla.Backend, recipe string, evaluations, rounds int, p *printer) error {
	dir, err := os.MkdirTemp("", "mergevo-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a folder of ours in a temporary place
	program := filepath.Join(dir, "mergevo")
	if err := started.Build(ctx, program); err != nil {
		return err
	}
	backend := b.Kind
	if b.Plugin != "" {
		backend = "xla:" + b.Plugin
	}
	run := 0
	search := func(terminal bool) (spent, error) {
		run++
		out := filepath.Join(dir, fmt.Sprint("run-", run))
		args := []string{program, "search", recipe, "--backend", backend, "--out", out, "--evaluations", strconv.Itoa(evaluations)}
		if terminal {
			// --json draws no bar; the run's log has the same events without it.
			args = []string{"script", "-qec", shell(args), os.DevNull}
		} else {
			args = append(args, "--json")
		}
		c := exec.CommandContext(ctx, args[0], args[1:]...)
		if text, err := c.CombinedOutput(); err != nil {
			return spent{}, fmt.Errorf("mergevo search: %w\n%s", err, text)
		}
		return readLog(filepath.Join(out, "log.jsonl"))
	}
	ways := []bool{false, true}
	if !hasScript() {
		ways = ways[:1]
		p.note("no script(1) of util-linux here: the search on a terminal is not measured")
	}
	all := make([][]spent, len(ways))
	for round := range rounds {
		for i := range ways {
			k := (round + i) % len(ways)
			s, err := search(ways[k])
			if err != nil {
				return err
			}
			all[k] = append(all[k], s)
		}
	}
	for k, what := range []string{"--json", "bar on a terminal"}[:len(ways)] {
		total := func(s spent) float64 { return s.seconds }
		if err := p.line(outsideLine("outside the device / whole search, "+what, all[k], total, 15)); err != nil {
			return err
		}
		rest := func(s spent) float64 { return s.seconds - s.first }
		if err := p.line(outsideLine("outside the device / search without its first generation, "+what, all[k], rest, 0)); err != nil {
			return err
		}
	}
	return nil
}

func outsideLine(what string, runs []spent, of func(spent) float64, aim float64) line {
	var out, whole, each []float64
	best := 0.0
	for i, s := range runs {
		out, whole, each = append(out, s.outside()), append(whole, of(s)), append(each, 100*s.outside()/of(s))
		if i == 0 || each[i] < best {
			best = each[i]
		}
	}
	return line{What: what, Unit: "s", Percent: true, Ours: measured.Median(out), Baseline: measured.Median(whole), Ratio: measured.Median(each), Best: best, Aim: aim}
}

// readLog reads the events that a search logs in its folder.
func readLog(file string) (s spent, err error) {
	f, err := os.Open(file)
	if err != nil {
		return s, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var e struct {
			Event   string  `json:"event"`
			Seconds float64 `json:"seconds"`
			Device  float64 `json:"device_seconds"`
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return s, fmt.Errorf("%s: %w", file, err)
		}
		switch {
		case e.Event == "generation" && s.first == 0:
			s.first = e.Seconds
		case e.Event == "stopped":
			s.seconds, s.device = e.Seconds, e.Device
		}
	}
	if lines.Err() == nil && s.seconds == 0 {
		return s, fmt.Errorf("%s: the search logged no stopped event", file)
	}
	return s, lines.Err()
}

// hasScript reports whether script(1) is there and takes util-linux's flags.
func hasScript() bool {
	out, err := exec.Command("script", "--version").Output()
	return err == nil && strings.Contains(string(out), "util-linux")
}

// shell quotes a command for sh.
func shell(args []string) string {
	var out []string
	for _, a := range args {
		out = append(out, "'"+strings.ReplaceAll(a, "'", `'\''`)+"'")
	}
	return strings.Join(out, " ")
}
