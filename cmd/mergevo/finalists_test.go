package main

import (
	"slices"
	"testing"

	"github.com/mergevo/mergevo/evolve"
)

// Halfway is halfway in the scale of the search; of choices there is no half.
func TestHalfway(t *testing.T) {
	s := &search{box: evolve.Box{
		{Name: "weight", Lo: 0, Hi: 2, Start: 0.5},
		{Name: "rate", Lo: 1, Hi: 10000, Start: 1, Log: true},
		{Name: "which", Choices: 4, Start: 3},
	}}
	to := s.box.Unit([]float64{1.5, 10000, 0})
	got := s.box.Values(s.halfway(to))
	if want := []float64{1, 100, 0}; !slices.EqualFunc(got, want, func(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 }) {
		t.Errorf("halfway is %v, want %v", got, want)
	}
}
