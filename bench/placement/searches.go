package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/mergevo/mergevo/bench/family"
)

// searches runs one search with its parents at each place, and under a limit that the
// resident ones do not fit into.
func (b *bench) searches(ctx context.Context, billions float64, limit int) error {
	s, err := family.OfSize(billions)
	if err != nil {
		return err
	}
	dir := filepath.Join(b.work, "family")
	fmt.Fprintf(b.talk, "writing three models of %.2f billion parameters\n", float64(s.Parameters())/1e9)
	if err := family.Write(ctx, dir, s, 0); err != nil {
		return err
	}
	recipe, err := writeRecipe(dir, family.Models[1:], readingTasks)
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "\nbase and two models of %.0f million parameters, bfloat16, %.0f MB in all; peak anonymous memory\n", float64(s.Parameters())/1e6, 6*float64(s.Parameters())/1e6)
	var scores string
	peaks := map[string]float64{}
	one := func(name string, limit int, args ...string) error {
		all := append([]string{"search", recipe, "--backend", "xla:cpu", "--anyway", "--json", "--out", filepath.Join(b.work, "run "+name)}, args...)
		r, err := b.mergevo(ctx, limit, all...)
		if err != nil {
			fmt.Fprintf(b.out, "%-44s %6.0f MB   ends: %s, %s\n", name, r.anon, err, why(r.stderr))
			return err
		}
		peaks[name] = r.anon
		got := report(r.stdout)
		same := "the same scores"
		switch {
		case got == "":
			return errors.New("no report")
		case scores == "":
			scores, same = got, ""
		case got != scores:
			same = "OTHER SCORES"
		}
		fmt.Fprintf(b.out, "%-44s %6.0f MB   %s\n", name, r.anon, same)
		return nil
	}
	for _, place := range []string{"device", "host", "disk"} {
		if err := one(place, 0, "--placement", place); err != nil {
			return err
		}
	}
	if limit == 0 {
		limit = int(peaks["disk"])
	}
	fmt.Fprintf(b.out, "of data at most %d MB (ulimit -d):\n", limit)
	if one("limited, device", limit, "--placement", "device") == nil {
		return errors.New("parents on the device fit under the limit: it says nothing")
	}
	if one("limited, device, told that there is room", limit, "--placement", "device", "--memory", "1TB") == nil {
		return errors.New("parents on the device fit under the limit: it says nothing")
	}
	scores = "" // of other shapes, made to fit
	if err := one("limited, auto", limit); err != nil {
		return err
	}
	return b.again(ctx, filepath.Join(b.work, "run limited, auto"))
}

// again scores what the limited search found with the parents on the device and no limit.
func (b *bench) again(ctx context.Context, run string) error {
	var all [2]string
	for i, limited := range []string{"disk", "device"} {
		r, err := b.mergevo(ctx, 0, "eval", filepath.Join(run, "best.yaml"), "--tasks", run, "--backend", "xla:cpu", "--placement", limited, "--json")
		if err != nil {
			return fmt.Errorf("%w\n%s", err, r.stderr)
		}
		for line := range strings.Lines(r.stdout) {
			if strings.HasPrefix(line, `{"event":"score"`) {
				all[i] += line
			}
		}
	}
	same := "the same scores"
	if all[0] != all[1] || all[0] == "" {
		same = "OTHER SCORES"
	}
	fmt.Fprintf(b.out, "what it found, on the device without a limit: %s\n", same)
	return nil
}

// why is the line of a failure that says most.
func why(stderr string) string {
	for line := range strings.Lines(stderr) {
		for _, sign := range []string{"does not fit", "out of memory", "Out of memory", "cannot allocate", "allocat", "fatal", "panic", "RESOURCE_EXHAUSTED"} {
			if strings.Contains(line, sign) {
				return strings.TrimSpace(line)
			}
		}
	}
	return strings.TrimSpace(stderr)
}

// report is the scores of everything in a search's last table, as they are written.
func report(events string) (found string) {
	for line := range strings.Lines(events) {
		if !strings.HasPrefix(line, `{"event":"report"`) {
			continue
		}
		var table struct {
			Entries []struct{ Parts, Tasks json.RawMessage }
		}
		if err := json.Unmarshal([]byte(line), &table); err != nil {
			return ""
		}
		found = ""
		for _, e := range table.Entries {
			found += string(e.Parts) + string(e.Tasks) + "\n"
		}
	}
	return found
}
