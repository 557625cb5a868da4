package align

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/mergevo/mergevo/tensors"
)

// Together finds the orders of several models in which they lie nearest to each other
// (Ainsworth et al. 2022, algorithm 3): each in turn is matched with the mean of the
// others as these stand, until none changes. The turns of a round are in the order of
// the SHA-256 of "mergevo align 1|<seed>|<round>|model <i>".
//
// All are then put into the orders in which model fixed is as it was: moving all alike
// changes no distance between them.
func (s *Spec) Together(ctx context.Context, models []tensors.Source, fixed int, how Matching) ([]Orders, error) {
	all := make([]Orders, len(models))
	for i := range all {
		all[i] = s.Identity()
	}
	for round := range sweeps {
		progress := false
		for _, i := range turns(how.Seed, round, len(models)) {
			others := side{}
			for j, m := range models {
				if j != i {
					others.sources, others.orders = append(others.sources, m), append(others.orders, all[j])
				}
			}
			changed, err := s.climb(ctx, others, models[i], all[i], how)
			if err != nil {
				return nil, err
			}
			progress = progress || changed
		}
		if !progress {
			break
		}
	}
	back := all[fixed].inverse()
	for i := range all {
		all[i] = back.after(all[i])
	}
	return all, nil
}

// turns is in which order models are matched in a round.
func turns(seed uint64, round, models int) []int {
	order := make([]int, models)
	sums := make([][]byte, models)
	for i := range order {
		sum := sha256.Sum256(fmt.Appendf(nil, "mergevo align 1|%d|%d|model %d", seed, round, i))
		order[i], sums[i] = i, sum[:]
	}
	slices.SortFunc(order, func(a, b int) int { return bytes.Compare(sums[a], sums[b]) })
	return order
}
