package align

import (
	"math"

	"github.com/mergevo/mergevo/internal/dense"
)

// assign returns, for each row of a square matrix of costs, the column it gets, each
// column once, so that the sum of the costs is least. Costs are finite.
//
// Jonker & Volgenant 1987, A shortest augmenting path algorithm for dense and sparse
// linear assignment problems: prices of the columns from their least costs, a transfer
// of what rows can spare, two rounds of bidding by rows without a column, and for what
// is left shortest paths. It takes the time of n³ steps at worst, mostly much less, and
// the same steps each time.
func assign(cost dense.Matrix) []int {
	n := cost.Rows
	s := &assignment{n: n, cost: cost, price: make([]float64, n), column: fill(n), row: fill(n)}
	free := s.reduce()
	for range 2 {
		free = s.bid(free)
	}
	if len(free) > 0 {
		s.augment(free)
	}
	return s.column
}

// fill is n times -1.
func fill(n int) []int {
	x := make([]int, n)
	for i := range x {
		x[i] = -1
	}
	return x
}

// assignment is a partial one: pairs whose reduced cost, cost - price, is the least of
// their row.
type assignment struct {
	n      int
	cost   dense.Matrix
	price  []float64 // of columns
	column []int     // of each row, -1 without
	row    []int     // of each column, -1 without
}

func (s *assignment) line(i int) []float64 { return s.cost.Data[i*s.cost.Row:][:s.n] }

// reduce gives each column the price of its least cost and to the row that has it, where
// that is free; a row that won one column only lowers its price by what the row's second
// choice costs more. It returns the rows without a column.
func (s *assignment) reduce() (free []int) {
	least := fill(s.n)
	for j := range s.price {
		s.price[j] = math.Inf(1)
	}
	for i := range s.n {
		for j, c := range s.line(i) {
			if c < s.price[j] {
				s.price[j], least[j] = c, i
			}
		}
	}
	won := make([]int, s.n)
	for j := s.n - 1; j >= 0; j-- {
		i := least[j]
		if won[i]++; won[i] == 1 {
			s.column[i], s.row[j] = j, i
		}
	}
	for i, j := range s.column {
		switch won[i] {
		case 0:
			free = append(free, i)
		case 1:
			spare := math.Inf(1)
			for k, c := range s.line(i) {
				if k != j {
					spare = min(spare, c-s.price[k])
				}
			}
			if s.n > 1 {
				s.price[j] -= spare
			}
		}
	}
	return free
}

// bid lets each free row take its cheapest column, lowering the column's price until it
// costs as much as the second; who had it bids again, or waits for the next round where
// the two cost the same. It returns those that wait.
func (s *assignment) bid(free []int) (left []int) {
	// Prices that fall by rounding errors only could go on for long.
	for steps := 4 * s.n; len(free) > 0; steps-- {
		if steps == 0 || s.n < 2 {
			return append(left, free...)
		}
		i := free[0]
		line := s.line(i)
		first, second := math.Inf(1), math.Inf(1)
		a, b := -1, -1
		for j, c := range line {
			if h := c - s.price[j]; h < second {
				if h < first {
					first, second, a, b = h, first, j, a
				} else {
					second, b = h, j
				}
			}
		}
		had := s.row[a]
		lower := s.price[a] - (second - first)
		falls := lower < s.price[a]
		if falls {
			s.price[a] = lower
		} else if had >= 0 && b >= 0 {
			a = b
			had = s.row[a]
		}
		s.column[i], s.row[a] = a, i
		if had >= 0 {
			s.column[had] = -1
		}
		switch {
		case had >= 0 && falls:
			free[0] = had
			continue
		case had >= 0:
			left = append(left, had)
		}
		free = free[1:]
	}
	return left
}

// augment finds for each free row the cheapest chain of changes that ends in a column
// that nobody has (Dijkstra's algorithm on reduced costs), and makes them.
func (s *assignment) augment(free []int) {
	n := s.n
	dist, before := make([]float64, n), make([]int, n)
	open := make([]int, n) // columns: [0, ready) are settled, the rest are not
	for _, start := range free {
		for j := range open {
			open[j], before[j] = j, start
		}
		for j, c := range s.line(start) {
			dist[j] = c - s.price[j]
		}
		ready, end := 0, -1
		for end < 0 {
			// The nearest column; of equals one that nobody has, else the first.
			best := ready
			for k := ready + 1; k < n; k++ {
				j, b := open[k], open[best]
				if d := dist[j]; d < dist[b] || d == dist[b] && s.row[j] < 0 && s.row[b] >= 0 {
					best = k
				}
			}
			open[ready], open[best] = open[best], open[ready]
			j := open[ready]
			ready++
			i := s.row[j]
			if i < 0 {
				end = j
				break
			}
			line := s.line(i)
			base := line[j] - s.price[j] - dist[j]
			for _, k := range open[ready:] {
				if d := line[k] - s.price[k] - base; d < dist[k] {
					dist[k], before[k] = d, i
				}
			}
		}
		for _, j := range open[:ready-1] {
			s.price[j] += dist[j] - dist[end]
		}
		for j := end; ; {
			i := before[j]
			s.row[j] = i
			s.column[i], j = j, s.column[i]
			if i == start {
				break
			}
		}
	}
}

// assignGroups is assign for units in groups of equal size that stay together: groups
// get groups, and in each the units are assigned to those of the other. units are costs
// between units, groups costs between groups besides. The sum of both is least.
func assignGroups(units, groups dense.Matrix, size int) []int {
	count := groups.Rows
	within := make([][]int, count*count)
	total := dense.New(count, count)
	total.Copy(groups)
	for g := range count {
		for h := range count {
			pair := units.Part(g*size, (g+1)*size, h*size, (h+1)*size)
			order := assign(pair)
			within[g*count+h] = order
			for u, v := range order {
				total.Data[g*count+h] += pair.At(u, v)
			}
		}
	}
	out := make([]int, 0, count*size)
	for g, h := range assign(total) {
		for _, v := range within[g*count+h] {
			out = append(out, h*size+v)
		}
	}
	return out
}
