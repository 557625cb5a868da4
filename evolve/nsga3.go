package evolve

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

var _ = row(Algorithm{
	Name:       "nsga3",
	Doc:        "NSGA-III: keeps the front near directions that are spread evenly over all trade-offs.",
	Use:        "four tasks or more to trade off (pareto)",
	Cite:       "Deb and Jain 2014, An Evolutionary Many-Objective Optimization Algorithm Using Reference-Point-Based Nondominated Sorting, IEEE TEVC 18(4)",
	Population: "a direction each, 40 at least",
	Front:      true,
	New: func(box Box, o Settings) (Optimizer[[]float64], error) {
		m := &nsga{goals: min(max(2, o.Objectives), 16), partitions: 1, size: o.Population}
		for choose(m.goals+m.partitions, m.partitions+1) <= max(40, o.Population) {
			m.partitions++
		}
		m.directions = dasDennis(m.goals, m.partitions)
		set(&m.size, max(40, len(m.directions)))
		return newPopulation("nsga3", m, box, o, m.size), nil
	},
})

// choose is n over k, at most 2^40.
func choose(n, k int) int {
	r := 1.0
	for i := range k {
		r = r * float64(n-i) / float64(i+1)
	}
	return int(math.Min(math.Round(r), 1<<40))
}

// dasDennis are the points of the simplex whose coordinates are multiples of
// 1/partitions (Das and Dennis 1998), in ascending order.
func dasDennis(goals, partitions int) [][]float64 {
	var out [][]float64
	at := make([]int, goals)
	var walk func(i, left int)
	walk = func(i, left int) {
		if i == goals-1 {
			at[i] = left
			p := make([]float64, goals)
			for k, x := range at {
				p[k] = float64(x) / float64(partitions)
			}
			out = append(out, p)
			return
		}
		for x := range left + 1 {
			at[i] = x
			walk(i+1, left-x)
		}
	}
	walk(0, partitions)
	return out
}

// niches keeps so many of the last front, at those directions that have the fewest
// members so far.
func (m *nsga) niches(p *population, all [][]float64, rank, last []int, keep int) []int {
	worst := rank[last[0]]
	var considered []int // all fronts up to this one
	for i, r := range rank {
		if r <= worst {
			considered = append(considered, i)
		}
	}
	cost := normalized(all, considered)
	niche, far := map[int]int{}, map[int]float64{}
	count := make([]int, len(m.directions))
	for _, i := range considered {
		niche[i], far[i] = m.nearest(cost[i])
		if rank[i] < worst {
			count[niche[i]]++
		}
	}
	rng := Draws(p.seed, mix(p.first))
	rest := slices.Clone(last)
	open := make([]bool, len(m.directions))
	for _, i := range rest {
		open[niche[i]] = true
	}
	var out []int
	for len(out) < keep {
		fewest := math.MaxInt
		var least []int
		for j, ok := range open {
			switch {
			case !ok || count[j] > fewest:
			case count[j] < fewest:
				fewest, least = count[j], []int{j}
			default:
				least = append(least, j)
			}
		}
		j := least[rng.IntN(len(least))]
		var here []int
		for k, i := range rest {
			if niche[i] == j {
				here = append(here, k)
			}
		}
		if len(here) == 0 {
			open[j] = false
			continue
		}
		pick := here[rng.IntN(len(here))]
		if count[j] == 0 { // the nearest to the direction
			for _, k := range here {
				if far[rest[k]] < far[rest[pick]] {
					pick = k
				}
			}
		}
		out = append(out, rest[pick])
		rest = slices.Delete(rest, pick, pick+1)
		count[j]++
	}
	slices.Sort(out)
	return out
}

// nearest is the direction from which a point is the least away, and how far.
func (m *nsga) nearest(cost []float64) (at int, distance float64) {
	distance = math.Inf(1)
	for j, w := range m.directions {
		k := min(len(cost), len(w))
		along := dot(cost[:k], w[:k]) / dot(w, w)
		d := 0.0
		for i := range k {
			x := cost[i] - along*w[i]
			d += x * x
		}
		if d < distance {
			at, distance = j, d
		}
	}
	return at, distance
}

// normalized are costs, 0 at the best of each objective and 1 where the plane through
// the extreme points meets its axis; where there is no such plane, at the worst.
func normalized(all [][]float64, considered []int) map[int][]float64 {
	goals := len(all[considered[0]])
	ideal, nadir := make([]float64, goals), make([]float64, goals)
	for m := range goals {
		ideal[m], nadir[m] = math.Inf(-1), math.Inf(1)
		for _, i := range considered {
			if x := all[i][m]; !math.IsInf(x, 0) {
				ideal[m], nadir[m] = math.Max(ideal[m], x), math.Min(nadir[m], x)
			}
		}
	}
	cost := map[int][]float64{}
	for _, i := range considered {
		c := make([]float64, goals)
		for m, x := range all[i] {
			if c[m] = ideal[m] - x; math.IsInf(c[m], 0) || math.IsNaN(c[m]) {
				c[m] = 1e12
			}
		}
		cost[i] = c
	}
	scale := intercepts(cost, considered, goals)
	for m := range goals {
		if width := ideal[m] - nadir[m]; !(scale[m] > 1e-9) || math.IsInf(scale[m], 0) {
			scale[m] = width
		}
		if !(scale[m] > 0) || math.IsInf(scale[m], 0) {
			scale[m] = 1
		}
	}
	for _, c := range cost {
		for m := range c {
			c[m] /= scale[m]
		}
	}
	return cost
}

// intercepts are where the plane through the extreme points, each the nearest to an
// axis, meets the axes; zeros where there is none.
func intercepts(cost map[int][]float64, considered []int, goals int) []float64 {
	extreme := mat.NewDense(goals, goals, nil)
	for m := range goals {
		least, at := math.Inf(1), considered[0]
		for _, i := range considered {
			worst := 0.0 // the achievement scalarizing function of axis m
			for k, x := range cost[i] {
				if k != m {
					x *= 1e6
				}
				worst = math.Max(worst, x)
			}
			if worst < least {
				least, at = worst, i
			}
		}
		extreme.SetRow(m, cost[at])
	}
	out := make([]float64, goals)
	var plane mat.VecDense
	ones := mat.NewVecDense(goals, nil)
	for m := range goals {
		ones.SetVec(m, 1)
	}
	if plane.SolveVec(extreme, ones) != nil {
		return out
	}
	for m := range goals {
		out[m] = 1 / plane.AtVec(m)
	}
	return out
}
