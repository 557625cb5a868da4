package evolve

import (
	"math"
	"testing"
)

// Against the equations written out, example by example.
func TestNiches(t *testing.T) {
	binary := [][]float32{{1, 0, 1, 0}, {1, 1, 0, 0}, {1, 0, 0, 0}, {0, 0, 0, 0}}
	images := [][]float32{{0.5, 0.75}, {0.25, 0.75}, {0.25, 1}}
	for _, c := range []struct {
		name   string
		n      niches
		scores [][]float32
		want   []float64 // fitness
	}{
		{"alpha 0", niches{}, binary, []float64{2, 2, 1, 0}},
		{"alpha 1/2", niches{alpha: 0.5}, binary, []float64{1/math.Sqrt(3) + 1, 1/math.Sqrt(3) + 1, 1 / math.Sqrt(3), 0}},
		{"alpha 1", niches{alpha: 1}, binary, []float64{1./3 + 1, 1./3 + 1, 1. / 3, 0}},
		{"alpha 2", niches{alpha: 2}, binary, []float64{1./9 + 1, 1./9 + 1, 1. / 9, 0}},
		{"epsilon", niches{alpha: 1, epsilon: 1}, binary, []float64{0.25 + 0.5, 0.25 + 0.5, 0.25, 0}},
		{"continuous", niches{alpha: 1}, images, []float64{0.25 + 0.3, 0.125 + 0.3, 0.125 + 0.4}},
		{"shifted", niches{alpha: 1, shift: true}, images, []float64{0.25, 0, 0.25}},
		{"nobody", niches{alpha: 1}, nil, []float64{}},
	} {
		t.Run(c.name, func(t *testing.T) { near(t, "fitness", c.n.open(c.scores).fitness, c.want, 1e-15) })
	}
	m := niches{alpha: 1}.open(binary)
	near(t, "attraction to the first", m.attraction(0), []float64{0, 1, 0, 0}, 1e-15)
	near(t, "attraction to the last", m.attraction(3), []float64{4. / 3, 4. / 3, 1. / 3, 0}, 1e-15)
}

func TestPick(t *testing.T) {
	weights := []float64{0, 1, 0, 3, 0}
	for u, want := range map[float64]int{0: 1, 0.2499: 1, 0.25: 3, 0.999999: 3, math.Nextafter(1, 0): 3} {
		if got := pick(weights, u); got != want {
			t.Errorf("pick(%v) = %d, want %d", u, got, want)
		}
	}
	if got := pick([]float64{0, 0}, 0.5); got != -1 {
		t.Errorf("pick of nothing = %d", got)
	}
}

// Who takes the most of every example is attracted by nobody: its mate is drawn by
// fitness among the others.
func TestCoupleFallsBack(t *testing.T) {
	of := func(scores ...[]float32) market { return niches{alpha: 1}.open(scores) }
	m := of([]float32{1, 1}, []float32{0.5, 0}, []float32{0, 0})
	if a, b := couple(m, true, 0, 0.9); a != 0 || b != 1 {
		t.Errorf("couple = %d, %d, want 0, 1", a, b)
	}
	m = of([]float32{0}, []float32{0}, []float32{0})
	if a, b := couple(m, true, 0.99, 0.99); a != 2 || b != 1 {
		t.Errorf("couple of nobodies = %d, %d, want 2, 1", a, b)
	}
	m = of([]float32{1})
	if a, b := couple(m, true, 0.5, 0.5); a != 0 || b != 0 {
		t.Errorf("couple of one = %d, %d", a, b)
	}
}

// A child as fit as the least fit member displaces it; a worse one is not let in.
func TestM2N2Ties(t *testing.T) {
	o := M2N2Reference()
	o.Archive = 3
	m, err := NewM2N2(blank{seeds: 1}, o)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		items []float32
		slot  int
	}{
		{[]float32{1, 1, 0}, 0}, {[]float32{0, 0, 1}, 1}, {[]float32{1, 0, 0}, 2}, // fill
		{[]float32{1, 0, 0}, 2}, // as fit as slot 2
		{[]float32{0, 0, 0}, 3}, // worse than all
		{[]float32{1, 1, 1}, 2},
	} {
		s := Scored[int]{Candidate: Candidate[int]{ID: uint64(i + 1)}, Score: Score{Items: c.items}}
		if slot := m.insert(s); slot != c.slot {
			t.Errorf("candidate %d: slot %d, want %d", i, slot, c.slot)
		}
	}
}
