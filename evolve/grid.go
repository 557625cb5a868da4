package evolve

import (
	"context"
	"math"
	"slices"
)

var _ = row(Algorithm{
	Name:       "grid",
	Doc:        "Every point of a grid, coarse ones first, in an order that covers the box evenly from the start.",
	Use:        "one to three numbers, and as a baseline; with n genes a grid of k values has kⁿ points",
	Seedless:   true,
	Population: "16",
	New: func(box Box, o Settings) (Optimizer[[]float64], error) {
		set(&o.Population, 16)
		g := &Grid{n: len(box), size: o.Population, level: 1, asked: asked{first: 1}}
		for _, x := range box {
			g.values = append(g.values, x.values())
		}
		return g, nil
	},
})

// Grid goes through grids of 2, 3, 5, 9, 17 … values a gene, ends included; whole
// numbers and choices have no more than they have. Points that a coarser grid had are
// left out. It stops once each gene has 1025 values.
type Grid struct {
	n, size int
	values  []int // of whole numbers and choices, 0 for other genes
	level   int   // 2^(level-1) + 1 values a gene
	index   uint64
	asked
}

const gridLevels = 11

// side is the number of values of gene i at a level.
func (g *Grid) side(i, level int) uint64 {
	k := uint64(1)<<(level-1) + 1
	if v := g.values[i]; v > 0 {
		k = min(k, uint64(v))
	}
	return k
}

// points is the number of points at a level, at most 2^62.
func (g *Grid) points(level int) uint64 {
	total := uint64(1)
	for i := range g.n {
		s := g.side(i, level)
		if total > (1<<62)/s {
			return 1 << 62
		}
		total *= s
	}
	return total
}

// stride is odd and far from regular, so that points come from all over the grid; it
// has no factor in common with the number of points.
func stride(total uint64) uint64 {
	s := uint64(float64(total)*(math.Sqrt(5)-1)/2) | 1
	for gcd(s, total) != 1 {
		s += 2
	}
	return s
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// point is number index at a level, and whether no coarser grid had it.
func (g *Grid) point(level int, index uint64) ([]float64, bool) {
	total := g.points(level)
	at := mulmod(index%total, stride(total)%total, total)
	u, fresh := make([]float64, g.n), level == 1
	for i := range u {
		s := g.side(i, level)
		k := at % s
		at /= s
		if v := g.values[i]; v > 0 {
			j := 0.0 // of v values, s are spread over all
			if s > 1 {
				j = math.Round(float64(k) * float64(v-1) / float64(s-1))
			}
			u[i] = (j + 0.5) / float64(v)
			fresh = fresh || s > g.side(i, level-1) // some may come twice
			continue
		}
		u[i] = float64(k) / float64(s-1)
		fresh = fresh || k%2 == 1
	}
	return u, fresh
}

// mulmod is a·b mod m for m below 2^63, without overflow.
func mulmod(a, b, m uint64) uint64 {
	r := uint64(0)
	for ; b > 0; b >>= 1 {
		if b&1 == 1 {
			r = (r + a) % m
		}
		a = (a + a) % m
	}
	return r
}

// next is the position after so many more points, and the points.
func (g *Grid) next(count int) (level int, index uint64, points [][]float64) {
	level, index = g.level, g.index
	for len(points) < count {
		if index >= g.points(level) {
			if level++; level > gridLevels {
				level = 1 // it has stopped; who goes on begins again
			}
			index = 0
		}
		u, fresh := g.point(level, index)
		index++
		if fresh {
			points = append(points, u)
		}
	}
	return level, index, points
}

// Ask implements Optimizer.
func (g *Grid) Ask(ctx context.Context) ([]Candidate[[]float64], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	_, _, points := g.next(g.size)
	g.out = true
	return candidates(g.first, points), nil
}

// candidates are points with IDs from first on.
func candidates(first uint64, points [][]float64) []Candidate[[]float64] {
	pop := make([]Candidate[[]float64], len(points))
	for k, u := range points {
		pop[k] = Candidate[[]float64]{ID: first + uint64(k), Genome: slices.Clone(u)}
	}
	return pop
}

// Tell implements Optimizer; there is nothing to learn.
func (g *Grid) Tell(told []Scored[[]float64]) error {
	if err := match(g.asked, g.size, told); err != nil {
		return err
	}
	was := g.level
	if g.level, g.index, _ = g.next(g.size); g.level < was {
		g.level, g.index = gridLevels, math.MaxUint64>>2 // at the end
	}
	g.asked = asked{first: g.first + uint64(len(told))}
	return nil
}

// Stop implements Optimizer: "grid" once it is as fine as it gets.
func (g *Grid) Stop() string {
	if g.level == gridLevels && g.index >= g.points(gridLevels) {
		return "grid"
	}
	return ""
}

const (
	gridKind    = "evolve/grid"
	gridVersion = 1
)

// MarshalBinary implements Optimizer.
func (g *Grid) MarshalBinary() ([]byte, error) {
	return marshal(gridKind, gridVersion, func(f fields) { g.state(f, 0) })
}

// UnmarshalBinary implements Optimizer.
func (g *Grid) UnmarshalBinary(data []byte) error {
	var s Grid
	if err := unmarshal(data, gridKind, gridVersion, func(f fields) { s.state(f, g.n) }); err != nil {
		return err
	}
	*g = s
	return nil
}

func (g *Grid) state(f fields, n int) {
	f.genes(&g.n, n)
	f.int("population", &g.size, 1, maxPopulation)
	if f.reading() {
		g.values = make([]int, g.n)
	}
	for i := range g.values {
		f.int("values", &g.values[i], 0, 1<<20)
	}
	f.int("level", &g.level, 1, gridLevels)
	f.uint(&g.index)
	f.asked(&g.asked)
}
