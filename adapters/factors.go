package adapters

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tensors/view"
)

// Factors returns the adapters' factors as tensors that are merged as those of models
// are, A with A and B with B, under the first one's names: what GENOME does
// (arXiv:2503.01155). The product of averages is not the average of products; and since
// A and B may be turned against each other without changing BA, it means something
// only for adapters that have a start in common.
//
// All must have the same modules, with the same ranks and scales.
func (s *Set) Factors() ([]tensors.Source, error) {
	var problems []string
	names := make([]map[string]string, len(s.list))
	for i := range names {
		names[i] = map[string]string{}
	}
	for _, m := range s.modules {
		first := m.at[0]
		for i, at := range m.at {
			switch {
			case at < 0 || first < 0:
				problems = append(problems, fmt.Sprintf("  %s: not in %s", m.Name, s.names[max(0, slices.Index(m.at, -1))]))
				continue
			case s.own[i][at].Rank != s.own[0][first].Rank || s.own[i][at].Scale != s.own[0][first].Scale || s.own[i][at].Mid != "" || (s.own[i][at].Bias == "") != (s.own[0][first].Bias == ""):
				problems = append(problems, fmt.Sprintf("  %s: of rank %d times %g in %s, of rank %d times %g in %s", m.Name,
					s.own[0][first].Rank, s.own[0][first].Scale, s.names[0], s.own[i][at].Rank, s.own[i][at].Scale, s.names[i]))
				continue
			}
			mine := s.own[i][at]
			names[i][s.own[0][first].Down], names[i][s.own[0][first].Up] = mine.Down, mine.Up
			if mine.Bias != "" {
				names[i][s.own[0][first].Bias] = mine.Bias
			}
		}
	}
	if len(problems) > 0 {
		problems = slices.Compact(problems)
		return nil, fmt.Errorf("factors are averaged (space: factors) only where all adapters have the same modules, ranks and scales:\n%s", strings.Join(problems[:min(len(problems), 40)], "\n"))
	}
	var out []tensors.Source
	for i, a := range s.list {
		src, err := view.Rename(a.Weights(), a.Path(), names[i])
		if err != nil {
			return nil, err
		}
		out = append(out, src)
	}
	return out, nil
}

// Beside lists the tensors that stand beside averages of factors: the first adapter's
// alphas, and the copies of weights.
func (s *Set) Beside() []tensors.Info {
	var out []tensors.Info
	for _, m := range s.own[0] {
		if t, ok := s.list[0].Weights().Lookup(m.Alpha); ok {
			out = append(out, t)
		}
	}
	for _, m := range s.modules {
		if t, ok := s.copied(m); ok {
			out = append(out, t)
		}
	}
	return out
}

// WriteBeside copies them.
func (s *Set) WriteBeside(w *tensors.Writer) error {
	from := s.list[0].Weights()
	for _, m := range s.own[0] {
		if t, ok := from.Lookup(m.Alpha); ok {
			if err := copyTensor(w, t.Name, from, t); err != nil {
				return err
			}
		}
	}
	for _, m := range s.modules {
		if err := s.writeCopied(w, m); err != nil {
			return err
		}
	}
	return nil
}
