package align

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"

	"github.com/mergevo/mergevo/internal/dense"
	"github.com/mergevo/mergevo/tensors"
)

// Matching is how orders are found.
type Matching struct {
	// Seed keys in which order the permutations are visited.
	Seed uint64
	// Progress is told before each permutation that is visited: of which sweep it is, its
	// name, and how many of how many there are. Nil tells nobody.
	Progress func(sweep int, name string, done, of int)
}

// sweeps bounds the visits of all permutations; gain is by how much, in the sum of
// products, a visit must be better to count.
const (
	sweeps = 100
	gain   = 1e-12
)

// Visits returns in which order the permutations of a spec are visited in a sweep, from
// 0 on: that of the SHA-256 of "mergevo align 1|<seed>|<sweep>|<name>".
func (s *Spec) Visits(seed uint64, sweep int) []int {
	sums := make([][]byte, len(s.Permutations))
	visits := make([]int, len(s.Permutations))
	for k, p := range s.Permutations {
		sum := sha256.Sum256(fmt.Appendf(nil, "mergevo align 1|%d|%d|%s", seed, sweep, p.Name))
		sums[k], visits[k] = sum[:], k
	}
	slices.SortFunc(visits, func(a, b int) int { return bytes.Compare(sums[a], sums[b]) })
	return visits
}

// Match finds the orders of b's units in which b lies nearest to a, by coordinate ascent
// (Ainsworth et al. 2022, algorithm 1): one permutation after the other is chosen so
// that the sum of the products of a's and b's numbers is largest, the others being as
// they are, until no choice gains anything. That is a local optimum, and for one
// permutation that shares no tensor with others the global one; heads in groups are
// assigned together with their groups.
//
// Sums are taken in float64. A permutation is visited again only if one that shares a
// tensor with it has changed since. The context ends it early, with its error.
func (s *Spec) Match(ctx context.Context, a, b tensors.Source, how Matching) (Orders, error) {
	orders := s.Identity()
	_, err := s.climb(ctx, side{[]tensors.Source{a}, []Orders{s.Identity()}}, b, orders, how)
	return orders, err
}

// climb improves orders of b against a, in place, and reports whether any changed.
func (s *Spec) climb(ctx context.Context, a side, b tensors.Source, orders Orders, how Matching) (changed bool, err error) {
	n, in := len(s.Permutations), &scratch{}
	beside := s.neighbours()
	stale := make([]bool, n) // a visit may find another order
	for k := range stale {
		stale[k] = true
	}
	for sweep := range sweeps {
		progress := false
		for done, k := range s.Visits(how.Seed, sweep) {
			if err := ctx.Err(); err != nil {
				return changed, err
			}
			if !stale[k] {
				continue
			}
			if how.Progress != nil {
				how.Progress(sweep, s.Permutations[k].Name, done, n)
			}
			better, err := s.visit(k, a, b, orders, in)
			if err != nil {
				return changed, err
			}
			if stale[k] = false; !better {
				continue
			}
			progress, changed = true, true
			for _, j := range beside[k] {
				stale[j] = true
			}
		}
		if !progress {
			break
		}
	}
	return changed, nil
}

// neighbours are, for each permutation, the others that have a place in a tensor of its.
func (s *Spec) neighbours() [][]int {
	in := map[string][]int{}
	for _, p := range s.Places {
		if !slices.Contains(in[p.Tensor], p.Order) {
			in[p.Tensor] = append(in[p.Tensor], p.Order)
		}
	}
	beside := make([][]int, len(s.Permutations))
	for _, p := range s.Places {
		for _, j := range in[p.Tensor] {
			if j != p.Order && !slices.Contains(beside[p.Order], j) {
				beside[p.Order] = append(beside[p.Order], j)
			}
		}
	}
	return beside
}

// visit chooses the best order of a permutation, the others being as they are, and
// reports whether it is better than the one there was.
func (s *Spec) visit(k int, a side, b tensors.Source, orders Orders, in *scratch) (better bool, err error) {
	p := s.Permutations[k]
	units, groups := in.square(0, p.Units), in.square(1, p.Units/p.Group)
	for _, place := range s.Places {
		if place.Order != k {
			continue
		}
		to := units
		if place.Group > 1 {
			to = groups
		}
		// Costs: what is nearest has the largest product.
		err := s.strips(place, a, side{[]tensors.Source{b}, []Orders{orders}}, in, func(x, y dense.Matrix) { dense.AddMul(to, x, y.T(), -1) })
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(to.Data, func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) }) {
			return false, fmt.Errorf("tensor %q of %s or of what it is aligned to holds NaN or Inf", place.Tensor, b.Path())
		}
	}
	cost := func(order []int) (sum float64) {
		for u, from := range order {
			sum += units.At(u, from)
		}
		if p.Group > 1 {
			for g := range groups.Rows {
				sum += groups.At(g, order[g*p.Group]/p.Group)
			}
		}
		return sum
	}
	var order []int
	if p.Group > 1 {
		order = assignGroups(units, groups, p.Group)
	} else {
		order = assign(units)
	}
	if cost(order) < cost(orders[k])-gain {
		orders[k] = order
		return true, nil
	}
	return false, nil
}
