package evolve

import (
	"cmp"
	"iter"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
)

// Change says what a candidate did to an archive.
type Change struct {
	// Status is 2 for the first of a cell, 1 for one that is better than what the cell
	// asks for, 0 for none of that.
	Status int
	// Gain is by how much it exceeds what the cell asks for.
	Gain float64
}

// Archive keeps different candidates, each in the cell of what it is like.
type Archive[G any] interface {
	// Add takes the candidates of a generation at once: the best in a cell stays.
	Add(list []Scored[G]) []Change
	// Sample draws an elite, each with the same probability; false when there is none.
	Sample(rng *rand.Rand) (Scored[G], bool)
	// All yields the elites in the order of their cells.
	All() iter.Seq[Scored[G]]
	Stats() ArchiveStats
}

// ArchiveStats are what people plot of an archive.
type ArchiveStats struct {
	Elites   int
	Coverage float64 // share of the cells that have one
	QDScore  float64 // sum of the elites' values above the lowest that is allowed
	Best     float64 // ever added, kept or not
	Mean     float64 // of the elites
}

// Cells says to which cell descriptors belong.
type Cells interface {
	Count() int
	// Of is in [0, Count); NaN counts as the lowest.
	Of(descriptors []float64) int
}

// GridCells are a grid: so many cells a descriptor, equal parts of its range.
type GridCells struct {
	Sides  []int
	Lo, Hi []float64 // of the descriptors; nil: 0 and 1
}

// Count implements Cells.
func (g GridCells) Count() int {
	n := 1
	for _, s := range g.Sides {
		n *= s
	}
	return n
}

// Of implements Cells: descriptors beyond the range count as its ends, and the last
// descriptor's cells lie side by side.
func (g GridCells) Of(descriptors []float64) int {
	index := 0
	for i, side := range g.Sides {
		lo, hi := 0.0, 1.0
		if g.Lo != nil {
			lo, hi = g.Lo[i], g.Hi[i]
		}
		x := math.NaN()
		if i < len(descriptors) {
			x = (descriptors[i] - lo) / (hi - lo) * float64(side)
		}
		k := 0
		if x > 0 {
			k = int(math.Min(x, float64(side-1)))
		}
		index = index*side + k
	}
	return index
}

// CVTCells are the cells of a centroidal Voronoi tessellation: everything belongs to
// the nearest centroid (Vassiliades, Chatzilygeroudis and Mouret 2018). They serve many
// descriptors, where a grid would have too many cells.
type CVTCells struct{ Centroids [][]float64 }

// NewCVT makes centroids of uniform points of the unit cube by k-means.
func NewCVT(seed uint64, dims, cells int) CVTCells {
	samples, rounds := 25, 25
	if cells > 1000 { // rougher, or it would take minutes
		samples, rounds = 5, 3
	}
	rng := Draws(seed, mix(uint64(cells)))
	points := make([][]float64, samples*cells)
	for i := range points {
		points[i] = uniformPoint(rng, dims)
	}
	c := CVTCells{newRows(cells, dims)}
	for i := range c.Centroids {
		copy(c.Centroids[i], points[i])
	}
	for range rounds {
		sum, count := newRows(cells, dims), make([]float64, cells)
		for _, p := range points {
			k := c.Of(p)
			addScaled(sum[k], 1, p)
			count[k]++
		}
		for k, n := range count {
			if n > 0 {
				for i := range sum[k] {
					c.Centroids[k][i] = sum[k][i] / n
				}
			}
		}
	}
	return c
}

// Count implements Cells.
func (c CVTCells) Count() int { return len(c.Centroids) }

// Of implements Cells.
func (c CVTCells) Of(descriptors []float64) int {
	at, least := 0, math.Inf(1)
	for k, m := range c.Centroids {
		d := 0.0
		for i, x := range m {
			y := 0.0
			if i < len(descriptors) && !math.IsNaN(descriptors[i]) {
				y = descriptors[i]
			}
			d += (x - y) * (x - y)
		}
		if d < least {
			at, least = k, d
		}
	}
	return at
}

// Elites is an archive of cells. With a learning rate below 1 what a cell asks for
// follows its candidates slowly, so that nearly as good ones count as progress too
// (Fontaine and Nikolaidis 2023, CMA-MAE, arXiv:2205.10752).
type Elites struct {
	cells     Cells
	rate      float64
	lowest    float64 // what empty cells ask for
	elites    map[int]Scored[[]float64]
	threshold map[int]float64
	best      float64 // value ever added
}

// NewElites makes an empty archive: rate 1 and lowest -Inf for an ordinary one.
func NewElites(cells Cells, rate, lowest float64) *Elites {
	return &Elites{cells: cells, rate: rate, lowest: lowest, elites: map[int]Scored[[]float64]{}, threshold: map[int]float64{}, best: math.Inf(-1)}
}

// descriptorsOf are what a candidate is like: its descriptors, else its genome's first
// coordinates.
func descriptorsOf(s Scored[[]float64], n int) []float64 {
	if len(s.Descriptors) > 0 {
		return s.Descriptors
	}
	return s.Genome[:min(n, len(s.Genome))]
}

// Add implements Archive.
func (e *Elites) Add(list []Scored[[]float64]) []Change {
	changes := make([]Change, len(list))
	fit := map[int][]int{} // who exceeds what its cell asked for before the generation
	for i, s := range list {
		if s.Failed() {
			continue
		}
		cell := e.cells.Of(descriptorsOf(s, 2))
		asked, known := e.threshold[cell]
		if !known {
			asked = e.lowest
		}
		gain := s.Value - asked
		switch _, taken := e.elites[cell]; {
		case !(s.Value > asked):
			if math.IsInf(asked, -1) && math.IsInf(s.Value, -1) && !taken {
				changes[i].Status = 2
				fit[cell] = append(fit[cell], i)
			}
			if !math.IsNaN(gain) {
				changes[i].Gain = gain
			}
			continue
		case taken:
			changes[i].Status = 1
		default:
			changes[i].Status = 2
		}
		if math.IsInf(asked, -1) {
			gain = s.Value
		}
		changes[i].Gain = gain
		fit[cell] = append(fit[cell], i)
	}
	for _, cell := range slices.Sorted(maps.Keys(fit)) {
		here := fit[cell]
		top, sum := here[0], 0.0
		for _, i := range here {
			sum += list[i].Value
			if Better(list[i], list[top]) {
				top = i
			}
		}
		asked, known := e.threshold[cell]
		if !known {
			asked = e.lowest
		}
		if e.rate < 1 && !math.IsInf(asked, 0) {
			left := math.Pow(1-e.rate, float64(len(here)))
			e.threshold[cell] = left*asked + sum/float64(len(here))*(1-left)
		} else {
			e.threshold[cell] = list[top].Value
		}
		e.best = math.Max(e.best, list[top].Value)
		elite := list[top]
		elite.Genome, elite.Items, elite.Parents = slices.Clone(elite.Genome), nil, nil
		e.elites[cell] = elite
	}
	return changes
}

// Sample implements Archive.
func (e *Elites) Sample(rng *rand.Rand) (Scored[[]float64], bool) {
	if len(e.elites) == 0 {
		return Scored[[]float64]{}, false
	}
	cells := slices.Sorted(maps.Keys(e.elites))
	return e.elites[cells[rng.IntN(len(cells))]], true
}

// All implements Archive.
func (e *Elites) All() iter.Seq[Scored[[]float64]] {
	return func(yield func(Scored[[]float64]) bool) {
		for _, cell := range slices.Sorted(maps.Keys(e.elites)) {
			if !yield(e.elites[cell]) {
				return
			}
		}
	}
}

// Stats implements Archive.
func (e *Elites) Stats() ArchiveStats {
	s := ArchiveStats{Elites: len(e.elites), Coverage: float64(len(e.elites)) / float64(e.cells.Count()), Best: e.best}
	sum := 0.0
	for x := range e.All() {
		sum += x.Value
	}
	s.QDScore = sum
	if !math.IsInf(e.lowest, 0) {
		s.QDScore -= e.lowest * float64(s.Elites)
	}
	s.Mean = sum / float64(max(1, s.Elites))
	return s
}

// state has what the cells hold; cells and rate are the caller's.
func (e *Elites) state(f fields, n int) {
	cells := slices.Sorted(maps.Keys(e.elites))
	count := len(cells)
	f.float(&e.best)
	f.count("elites", &count, e.cells.Count(), 8*(n+9))
	if f.reading() {
		e.elites, e.threshold = map[int]Scored[[]float64]{}, map[int]float64{}
	}
	last := -1
	for i := range count {
		var cell int
		var asked float64
		var list []Scored[[]float64]
		if !f.reading() {
			cell = cells[i]
			asked, list = e.threshold[cell], []Scored[[]float64]{e.elites[cell]}
		}
		f.int("cell", &cell, last+1, e.cells.Count()-1)
		f.float(&asked)
		f.scored("elite", &list, n, 1)
		if f.reading() {
			if !f.ok() || len(list) != 1 {
				f.fail("a cell has no elite")
				return
			}
			e.threshold[cell], e.elites[cell] = asked, list[0]
		}
		last = cell
	}
}

// byGain orders candidates as CMA-ME does: the first of a cell before others, then by
// how much they exceed what is asked for.
func byGain(list []Scored[[]float64], changes []Change) []int {
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(changes[b].Status, changes[a].Status), cmp.Compare(changes[b].Gain, changes[a].Gain), cmp.Compare(list[a].ID, list[b].ID))
	})
	return order
}
