// Package measured sums up what was measured in several rounds.
package measured

import "slices"

// Median is the middle of x, which is not empty.
func Median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return (x[(len(x)-1)/2] + x[len(x)/2]) / 2
}

// Ratios are the rounds' a/b; nil where either was not measured.
func Ratios(a, b []float64) []float64 {
	if len(a) != len(b) {
		return nil
	}
	var out []float64
	for i := range a {
		out = append(out, a[i]/b[i])
	}
	return out
}
