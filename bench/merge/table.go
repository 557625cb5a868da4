package main

import (
	"fmt"
	"strings"

	"github.com/mergevo/mergevo/bench/measured"
)

// The aims, as multiples, of a family of aimSize billion parameters: below it starting
// takes the most time. See bench/README.md.
const (
	aimSize   = 0.5
	kitAim    = 10  // mergekit's time / mergevo's, at least
	cAim      = 1.5 // mergevo's / the C floor's, of ties and breadcrumbs
	memoryAim = 300 // MB beyond what mergevo takes with nothing to merge
)

// floorAim is the most that mergevo may take of the floor's time; 0 is no aim.
var floorAim = map[string]float64{"linear": 2, "task_arithmetic": 2, "slerp": 3}

// print is the table of medians, then all runs.
func (b *bench) print(p *printer, all []*runs, parameters int) {
	var rows, told [][]string
	for _, r := range all {
		ours, kit := each(r.ours, wall), each(r.kit, wall)
		bare := less(kit, each(r.imports, wall))
		floor, c, ratio := measured.Ratios(ours, each(r.copied, wall)), measured.Ratios(ours, each(r.c, wall)), measured.Ratios(kit, ours)
		rows = append(rows, []string{
			r.name, middle("%.2f", ours), middle("%.2f", each(r.ours, cpu)),
			middle("%.2f", each(r.copied, wall)), middle("%.2fx", floor),
			middle("%.2f", each(r.c, wall)), middle("%.2fx", c),
			middle("%.2f", kit), middle("%.1fx", ratio), middle("%.1fx", measured.Ratios(bare, ours)),
			middle("%.0f", each(r.ours, anon)), middle("%.0f", minus(each(r.ours, anon), b.base)), middle("%.0f", each(r.kit, anon)),
			strings.Join(b.aims(r, floor, c, ratio), ", "),
		})
		told = append(told, []string{r.name, every(ours), every(each(r.copied, wall)), every(each(r.c, wall)), every(kit), every(each(r.imports, wall))})
	}
	p.table(fmt.Sprintf("%.3f billion parameters, bfloat16, base + 2; medians of %d rounds, ratios of each round's runs", float64(parameters)/1e9, b.rounds),
		[]string{"method", "mergevo s", "CPU s", "floor s", "/ floor", "C s", "/ C", "mergekit s", "mergekit /", "without imports", "peak MB", "beyond idle", "mergekit's peak MB", "aims"}, rows)
	p.text("\nmergevo with next to nothing to merge: %.0f MB of anonymous memory.\n", b.base)
	p.table("All runs, s", []string{"method", "mergevo", "floor", "C", "mergekit", "its imports"}, told)
}

// aims says of each aim that a method has whether its median keeps it.
func (b *bench) aims(r *runs, floor, c, kit []float64) (out []string) {
	if b.size != aimSize {
		return []string{"-"}
	}
	check := func(text string, ok bool) {
		verdict := "missed"
		if ok {
			verdict = "met"
		}
		out = append(out, text+" "+verdict)
	}
	if aim := floorAim[r.name]; aim > 0 {
		check(fmt.Sprintf("<= %gx floor", aim), measured.Median(floor) <= aim)
	}
	if len(c) > 0 && floorAim[r.name] == 0 {
		check(fmt.Sprintf("<= %gx C", cAim), measured.Median(c) <= cAim)
	}
	if len(kit) > 0 {
		check(fmt.Sprintf(">= %dx mergekit", kitAim), measured.Median(kit) >= kitAim)
	}
	if peak := each(r.ours, anon); b.base > 0 {
		check(fmt.Sprintf("<= %d MB", memoryAim), measured.Median(peak)-b.base <= memoryAim)
	}
	return out
}

// less is a-b, round by round; nil where either was not measured.
func less(a, b []float64) (out []float64) {
	if len(a) != len(b) {
		return nil
	}
	for i := range a {
		out = append(out, a[i]-b[i])
	}
	return out
}

func minus(a []float64, b float64) (out []float64) {
	for _, x := range a {
		out = append(out, x-b)
	}
	return out
}
