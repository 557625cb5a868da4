package evolve

import (
	"math"
	"math/rand/v2"
)

var archiveOptions = []Option{
	{Name: "archive", Default: "grid", Words: []string{"grid", "cvt"}, Doc: "cells of equal parts of each descriptor, or so many anywhere"},
	{Name: "cells", Default: "10", Min: 2, Max: 10000, Int: true, Doc: "of a grid, for each descriptor; of cvt, in all"},
}

var _ = row(Algorithm{
	Name:        "map-elites",
	Doc:         "MAP-Elites: the best candidate of every kind, bred from each other.",
	Use:         "not one merge but the best of each kind, by descriptors; a map of what trades off against what",
	Cite:        "Mouret and Clune 2015, Illuminating search spaces by mapping elites, arXiv:1504.04909; Vassiliades and Mouret 2018, Discovering the Elite Hypervolume, for iso-line",
	Population:  "36",
	Descriptors: true,
	Options: append([]Option{
		{Name: "variation", Default: "iso-line", Words: []string{"iso-line", "iso"}, Doc: "noise, and a step along the line to another elite, or noise alone"},
	}, archiveOptions...),
	New: func(box Box, o Settings) (Optimizer[[]float64], error) {
		set(&o.Population, 36)
		m := &mapElites{size: o.Population, line: o.word("variation") == "iso-line", sigma: o.Sigma / 5, kind: newCellKind(o)}
		m.archive = NewElites(m.kind.make(), 1, math.Inf(-1))
		return newPopulation("map-elites", m, box, o, o.Population), nil
	},
})

// cellKind is what cells an archive has.
type cellKind struct {
	cvt         bool
	cells, dims int
	seed        uint64
}

func newCellKind(o Settings) cellKind {
	return cellKind{cvt: o.word("archive") == "cvt", cells: o.whole("cells"), dims: min(o.Descriptors, 16), seed: o.Seed}
}

// maxCells bounds archives: a grid of many descriptors gets fewer cells a side.
const maxCells = 1 << 20

func (k cellKind) make() Cells {
	if k.cvt {
		return NewCVT(k.seed, k.dims, k.cells)
	}
	side := min(k.cells, max(2, int(math.Pow(maxCells, 1/float64(k.dims)))))
	g := GridCells{}
	for range k.dims {
		g.Sides = append(g.Sides, side)
	}
	return g
}

func (k *cellKind) state(f fields) {
	f.bool("cvt", &k.cvt)
	f.int("cells", &k.cells, 2, 10000)
	f.int("descriptors", &k.dims, 1, 16)
	f.uint(&k.seed)
}

// mapElites breeds from an archive; the members are its elites, in the order of cells.
type mapElites struct {
	size    int
	line    bool
	sigma   float64
	kind    cellKind
	archive *Elites
}

func (m *mapElites) fresh() breed            { return &mapElites{} }
func (m *mapElites) stop(*population) string { return "" }
func (m *mapElites) count(*population) int   { return m.size }

// Archived is the ability of optimizers which keep an archive to show it; nil where
// this one has none.
type Archived[G any] interface{ Archive() Archive[G] }

// Archive implements Archived.
func (p *population) Archive() Archive[[]float64] {
	if m, ok := p.breed.(*mapElites); ok {
		return m.archive
	}
	return nil
}

// lineWidth is how far along the line to another elite a step goes, as a standard
// deviation in lengths of the line.
const lineWidth = 0.2

func (m *mapElites) child(p *population, rng *rand.Rand, _ int) ([]float64, []uint64) {
	a := p.members[rng.IntN(len(p.members))]
	b := p.members[rng.IntN(len(p.members))]
	step, parents := 0.0, []uint64{a.ID}
	if m.line {
		step = lineWidth * rng.NormFloat64()
		parents = append(parents, b.ID)
	}
	u := make([]float64, p.n)
	for i := range u {
		u[i] = bounce(a.Genome[i] + m.sigma*rng.NormFloat64() + step*(b.Genome[i]-a.Genome[i]))
	}
	return u, distinct(parents)
}

func (m *mapElites) survive(p *population, told []Scored[[]float64]) []Scored[[]float64] {
	m.archive.Add(told)
	var members []Scored[[]float64]
	for s := range m.archive.All() {
		members = append(members, s)
	}
	if len(members) == 0 { // all failed: breed from them for want of better
		return told
	}
	return members
}

func (m *mapElites) state(f fields, p *population) {
	f.int("size", &m.size, 1, maxPopulation)
	f.bool("line", &m.line)
	f.within("sigma", &m.sigma, 0, 1)
	m.kind.state(f)
	if f.reading() {
		if !f.ok() {
			return
		}
		m.archive = NewElites(m.kind.make(), 1, math.Inf(-1))
	}
	m.archive.state(f, p.n)
}
