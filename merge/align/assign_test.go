package align

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mergevo/mergevo/internal/dense"
)

// total is what an assignment costs; it fails where a column is given twice.
func total(t *testing.T, c dense.Matrix, order []int) float64 {
	t.Helper()
	sum := 0.0
	seen := make([]bool, c.Cols)
	for i, j := range order {
		if j < 0 || seen[j] {
			t.Fatalf("no assignment: %v", order)
		}
		seen[j] = true
		sum += c.At(i, j)
	}
	return sum
}

// least is the least cost, by trying all assignments.
func least(c dense.Matrix) float64 {
	best := math.Inf(1)
	var try func(i int, used int, sum float64)
	try = func(i, used int, sum float64) {
		if i == c.Rows {
			best = min(best, sum)
			return
		}
		for j := range c.Cols {
			if used&(1<<j) == 0 {
				try(i+1, used|1<<j, sum+c.At(i, j))
			}
		}
	}
	try(0, 0, 0)
	return best
}

// Of every kind of costs the assignment is the cheapest there is, ties and all.
func TestAssign(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	kinds := []func() float64{
		rng.NormFloat64,
		func() float64 { return float64(rng.IntN(3)) }, // many ties
		func() float64 { return float64(rng.IntN(2)) },
		func() float64 { return math.Exp(20 * rng.NormFloat64()) },
		func() float64 { return 1 },
		func() float64 { return 1e9 + rng.Float64() },
	}
	for k, draw := range kinds {
		for n := 1; n <= 7; n++ {
			for range 60 {
				c := dense.New(n, n)
				for i := range c.Data {
					c.Data[i] = draw()
				}
				got, want := total(t, c, assign(c)), least(c)
				if got > want+1e-12*max(1, math.Abs(want)) {
					t.Fatalf("kind %d: %v costs %v, the least is %v: %v", k, assign(c), got, want, c.Data)
				}
			}
		}
	}
}

// A large problem's answer is proved by prices: no pair is cheaper than its row and its
// column pay, and those that are assigned cost just that.
func TestAssignLarge(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, ties := range []bool{false, true} {
		n := 400
		c := dense.New(n, n)
		for i := range c.Data {
			if c.Data[i] = rng.NormFloat64(); ties {
				c.Data[i] = float64(rng.IntN(50))
			}
		}
		s := &assignment{n: n, cost: c, price: make([]float64, n), column: fill(n), row: fill(n)}
		free := s.reduce()
		for range 2 {
			free = s.bid(free)
		}
		s.augment(free)
		total(t, c, s.column)
		if !slices.Equal(s.column, assign(c)) {
			t.Error("assign takes other steps")
		}
		for i := range n {
			pays := c.At(i, s.column[i]) - s.price[s.column[i]]
			for j := range n {
				if c.At(i, j)-s.price[j] < pays-1e-9 {
					t.Fatalf("row %d would rather have column %d than %d", i, j, s.column[i])
				}
			}
		}
	}
}

// Groups and the units in them are assigned at once: of all ways the best.
func TestAssignGroups(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		const count, size = 3, 2
		units, groups := dense.New(count*size, count*size), dense.New(count, count)
		for i := range units.Data {
			units.Data[i] = rng.NormFloat64()
		}
		for i := range groups.Data {
			groups.Data[i] = rng.NormFloat64()
		}
		cost := func(order []int) (sum float64, ok bool) {
			for g := range count {
				h := order[g*size] / size
				sum += groups.At(g, h)
				for u := range size {
					if order[g*size+u]/size != h {
						return 0, false
					}
					sum += units.At(g*size+u, order[g*size+u])
				}
			}
			return sum, true
		}
		best := math.Inf(1)
		permutations(count*size, func(order []int) {
			if c, ok := cost(order); ok {
				best = min(best, c)
			}
		})
		got, ok := cost(assignGroups(units, groups, size))
		if !ok || got > best+1e-12 {
			t.Fatalf("%v, want %v", got, best)
		}
	}
}

func permutations(n int, use func([]int)) {
	order := make([]int, 0, n)
	var next func()
	next = func() {
		if len(order) == n {
			use(order)
			return
		}
		for i := range n {
			if !slices.Contains(order, i) {
				order = append(order, i)
				next()
				order = order[:len(order)-1]
			}
		}
	}
	next()
}

func BenchmarkAssign(b *testing.B) {
	for _, n := range []int{512, 1024, 2048, 4096} {
		for _, kind := range []string{"noise", "near"} {
			b.Run(fmt.Sprintf("%s/%d", kind, n), func(b *testing.B) {
				rng := rand.New(rand.NewPCG(7, 8))
				c := dense.New(n, n)
				for i := range c.Data {
					c.Data[i] = rng.NormFloat64()
				}
				if kind == "near" { // as of a fine-tune in another order
					for i, j := range rng.Perm(n) {
						c.Data[i*n+j] -= 20
					}
				}
				for b.Loop() {
					assign(c)
				}
			})
		}
	}
}
