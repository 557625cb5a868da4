package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mergevo/mergevo/bench/family"
)

// peakAnon samples a process's anonymous memory every 10 ms until it has ended, and
// returns the most seen, in megabytes; 0 where the system does not tell.
func peakAnon(pid int, ended <-chan struct{}) float64 {
	var peak float64
	for {
		select {
		case <-ended:
			return peak
		case <-time.After(10 * time.Millisecond):
			if mb, err := anon(pid); err == nil {
				peak = max(peak, mb)
			}
		}
	}
}

// anon reads RssAnon of a process.
func anon(pid int) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1000, err
		}
	}
	return 0, errNoStatus
}

// idle is what mergevo takes with next to nothing to merge: the plugin's own.
func (b *bench) idle(ctx context.Context, dir string) (float64, error) {
	small := filepath.Join(b.dir, "family-0.02")
	shape, err := family.OfSize(0.02)
	if err != nil {
		return 0, err
	}
	shape.Vocabulary, shape.Layers = 256, 1
	small += "-tiny"
	if err := family.Write(small, shape, 1<<40); err != nil {
		return 0, err
	}
	u, err := b.apply(ctx, small, "linear")
	return u.anon, err
}

// apply runs a method's merge of a folder's family, and removes what it wrote.
func (b *bench) apply(ctx context.Context, dir, method string) (used, error) {
	out := filepath.Join(dir, "out")
	defer os.RemoveAll(out)
	if err := os.RemoveAll(out); err != nil {
		return used{}, err
	}
	for _, m := range methods {
		if m.name == method {
			config := filepath.Join(dir, m.name+".yml")
			if err := os.WriteFile(config, []byte(m.recipe), 0o644); err != nil {
				return used{}, err
			}
			return b.time(ctx, dir, b.mergevo, "apply", config, "--out", out, "--shard-size", "400MB", "--backend", b.backend)
		}
	}
	return used{}, fmt.Errorf("no method %s", method)
}

// memory prints the peak at several sizes.
func (b *bench) memory(ctx context.Context) error {
	idle, err := b.idle(ctx, b.dir)
	if err != nil {
		return err
	}
	fmt.Printf("mergevo and its plugin with next to nothing to merge: %.0f MB of anonymous memory\n\n", idle)
	fmt.Println("| parameters | method | peak anonymous | beyond the plugin's |\n|---:|---|---:|---:|")
	for _, size := range []float64{0.1, 0.5, 1, 2} {
		shape, err := family.OfSize(size)
		if err != nil {
			return err
		}
		dir := filepath.Join(b.dir, fmt.Sprintf("sparse-%g", size))
		for _, m := range family.Models {
			if err := family.Sparse(filepath.Join(dir, m), shape, 400e6); err != nil {
				return err
			}
		}
		for _, m := range []string{"linear", "task_arithmetic", "ties", "breadcrumbs", "dare_ties"} {
			u, err := b.apply(ctx, dir, m)
			if err != nil {
				return err
			}
			fmt.Printf("| %.2f B | %s | %.0f MB | %.0f MB |\n", float64(shape.Parameters())/1e9, m, u.anon, u.anon-idle)
		}
	}
	return nil
}
