package evolve

import (
	"math"
	"slices"
)

// noiseHandler measures how much of a ranking is chance, by scoring some candidates
// twice (Hansen, Niederberger, Guzzella and Koumoutsakos 2009, A Method for Handling
// Uncertainty in Evolutionary Optimization, IEEE TEVC 13(1), algorithm 1).
type noiseHandler struct {
	begun  uint64              // the first candidate of the generation
	scored []Scored[[]float64] // as it was told first, in the order of asking
	again  []int               // the places of those that are scored again
	level  float64             // the measure, smoothed; above 0 there is too much
}

// pycma's settings: what share of chance is allowed, and how fast the measure follows.
const (
	noiseLimit  = 0.5
	noiseFollow = 0.3
)

// begin keeps a generation, and says who is scored again; false where nobody is worth
// it, as all failed.
func (h *noiseHandler) begin(told []Scored[[]float64], begun uint64) bool {
	list := slices.Clone(told)
	slices.SortFunc(list, func(a, b Scored[[]float64]) int { return int(int64(a.ID - b.ID)) })
	var fit []int
	for k, s := range list {
		if !s.Failed() {
			fit = append(fit, k)
		}
		list[k].Genome = slices.Clone(s.Genome)
	}
	if len(fit) < 2 {
		return false
	}
	// Half of them are the first, which are any; the rest the best.
	count := min(len(fit), 2+len(list)/20)
	h.again = slices.Clone(fit[:(count+1)/2])
	slices.SortStableFunc(fit, func(a, b int) int { return Compare(list[a], list[b]) })
	for _, k := range fit {
		if len(h.again) < count && !slices.Contains(h.again, k) {
			h.again = append(h.again, k)
		}
	}
	slices.Sort(h.again)
	h.scored, h.begun = list, begun
	return true
}

// merge measures the noise, widens the steps where there is too much, and returns the
// generation with the mean of both scores.
func (h *noiseHandler) merge(told []Scored[[]float64], first uint64, d *distribution) []Scored[[]float64] {
	second := make([]float64, len(h.scored))
	for k, s := range h.scored {
		second[k] = s.Value
	}
	for _, s := range told {
		if k := h.again[s.ID-first]; !s.Failed() {
			second[k] = s.Value
		}
	}
	h.level = (1-noiseFollow)*h.level + noiseFollow*h.measure(second)
	if h.level > 0 {
		d.sigma *= 1 + 2/float64(d.n+10)
		d.limitStds()
	}
	out := slices.Clone(h.scored)
	for _, k := range h.again {
		out[k].Value = (out[k].Value + second[k]) / 2
	}
	return out
}

// measure is s of the paper: how far ranks among all first and second scores moved,
// beyond what is allowed.
func (h *noiseHandler) measure(second []float64) float64 {
	n := len(second)
	all := make([]float64, 0, 2*n)
	for _, s := range h.scored {
		if x := s.Value; !s.Failed() {
			all = append(all, x)
		}
	}
	for k, s := range h.scored {
		if !s.Failed() {
			all = append(all, second[k])
		}
	}
	rank := func(x float64) float64 { // from 1; the mean of ties
		below, equal := 0, 0
		for _, y := range all {
			if y < x {
				below++
			} else if y == x {
				equal++
			}
		}
		return float64(below) + float64(equal+1)/2
	}
	limit := func(r float64) float64 {
		var d []float64
		for k := 1; k < len(all); k++ {
			d = append(d, math.Abs(float64(k)-r))
		}
		slices.Sort(d)
		return quantileOf(d, noiseLimit*0.5)
	}
	sum := 0.0
	for _, k := range h.again {
		a, b := rank(h.scored[k].Value), rank(second[k])
		moved := math.Abs(b - a)
		after, before := b, a
		if b > a {
			after, moved = b-1, moved-1
		} else if a > b {
			before, moved = a-1, moved-1
		}
		sum += 2*math.Max(0, moved) - limit(after) - limit(before)
	}
	return sum / float64(len(h.again))
}

// quantileOf is of sorted numbers, between order statistics.
func quantileOf(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

func (h *noiseHandler) state(f fields, n, lambda int) {
	f.float(&h.level)
	f.uint(&h.begun)
	count := len(h.again)
	f.count("scored again", &count, lambda, 8)
	if f.reading() {
		h.again = nil
		if count > 0 {
			h.again = make([]int, count)
		}
	}
	for i := range h.again {
		f.int("place", &h.again[i], 0, lambda-1)
	}
	f.scored("first scores", &h.scored, n, lambda)
	if !f.ok() || !f.reading() {
		return
	}
	if count > 0 && len(h.scored) != lambda || math.IsNaN(h.level) {
		f.fail("%d first scores of %d", len(h.scored), lambda)
	}
	for k := range h.scored {
		if h.scored[k].ID != h.begun+uint64(k) {
			f.fail("first scores of other candidates")
			return
		}
	}
}
