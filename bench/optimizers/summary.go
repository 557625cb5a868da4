package main

import (
	"fmt"
	"io"
	"math"
	"slices"
)

// summary is what runs come to.
type summary struct {
	runs, reached    int
	median, low, top float64 // evaluations of those that reached the target; quartiles
	art              float64 // average running time: all evaluations a success
}

func summarize(list []outcome) summary {
	s := summary{runs: len(list)}
	var needed []float64
	all := 0.0
	for _, o := range list {
		all += float64(o.Evaluations)
		if o.Reached {
			needed = append(needed, float64(o.Evaluations))
		}
	}
	slices.Sort(needed)
	s.reached, s.art = len(needed), all/float64(len(needed))
	s.low, s.median, s.top = quantile(needed, 0.25), quantile(needed, 0.5), quantile(needed, 0.75)
	return s
}

// quantile interpolates between order statistics.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

func (s summary) print(out io.Writer, name string) {
	if s.reached == 0 {
		fmt.Fprintf(out, "| %s | - | - | 0/%d | - |\n", name, s.runs)
		return
	}
	fmt.Fprintf(out, "| %s | %.0f | %.0f to %.0f | %d/%d | %.0f |\n", name, s.median, s.low, s.top, s.reached, s.runs, s.art)
}
