package main

import (
	"fmt"
	"slices"
)

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// ratio is the median of the rounds' ratios, as text.
func ratio(a, b []float64) string {
	if len(b) == 0 {
		return "-"
	}
	var r []float64
	for i := range b {
		r = append(r, a[i]/b[i])
	}
	return fmt.Sprintf("%.2fx", median(r))
}

func (l *line) last() string {
	end := func(v []float64) float64 {
		if len(v) == 0 {
			return 0
		}
		return v[len(v)-1]
	}
	return fmt.Sprintf("%s: mergevo %.2f s, floor %.2f s, C %.2f s, mergekit %.2f s", l.name, end(l.ours), end(l.floor), end(l.c), end(l.kit))
}

// print writes the table of medians.
func (b *bench) print(lines []*line, idle float64) error {
	fmt.Println("| method | mergevo, s | CPU, s | floor, s | mergevo / floor | C, s | mergevo / C | mergekit, s | mergekit / mergevo | without its imports | peak MB | beyond the plugin's | mergekit's peak MB |")
	fmt.Println("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
	for _, l := range lines {
		var bare []float64
		for i, k := range l.kit {
			bare = append(bare, k-l.imports[i])
		}
		kit, kitBare := "-", "-"
		if len(l.kit) > 0 {
			kit, kitBare = ratio(l.kit, l.ours), ratio(bare, l.ours)
		}
		fmt.Printf("| %s | %.2f | %.2f | %.2f | %s | %.2f | %s | %.2f | %s | %s | %.0f | %.0f | %.0f |\n", l.name, median(l.ours), median(l.ourCPU), median(l.floor),
			ratio(l.ours, l.floor), median(l.c), ratio(l.ours, l.c), median(l.kit), kit, kitBare, median(l.peak), median(l.peak)-idle, median(l.kitPeak))
	}
	fmt.Printf("\nMedians of %d rounds, everything in turn. floor: cat of the inputs, cp of an output, sync. mergevo's own plugin, idle: %.0f MB.\n", len(lines[0].ours), idle)
	return nil
}
