package main

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/recipes"
)

// checkDescriptors refuses shares of models that the merge does not weigh.
func (o *opened) checkDescriptors(r *recipes.Recipe, like *merge.Spec) error {
	shares := merge.Shares(like, o.parents)
	for i, d := range r.Search.Descriptors {
		if _, ok := shares[d.Share]; d.Share != "" && !ok {
			known := slices.Sorted(maps.Keys(shares))
			return r.ErrorAt(fmt.Sprintf("search.descriptors.%d", i), fmt.Sprintf("%s is not a model that gets a weight; known: %s%s", d.Share, strings.Join(known, ", "), meant(d.Share, known)))
		}
	}
	return nil
}

// scoreOf is what the optimizer is told of a result.
func (s *search) scoreOf(spec *merge.Spec, r *evaluate.Result) evolve.Score {
	score := evolve.Score{Value: s.arena.value(*r), Tie: r.Tie, Items: r.Items, Err: r.Err}
	if r.Err != nil {
		return score
	}
	if list := s.recipe.Search.Descriptors; len(list) > 0 {
		var shares map[string]float64
		r.Tasks = maps.Clone(r.Tasks)
		for i, d := range list {
			var x float64
			switch {
			case d.Task != "":
				x = r.Tasks[d.Task]
			case d.Share != "":
				if shares == nil {
					shares = merge.Shares(spec, cmp.Or(spec.Parents, s.opened.parents))
				}
				x = shares[d.Share]
			default:
				x = answers(r.Predicted, d.Answers)
			}
			// Kept among the marks, so that a resumed run need not score again.
			r.Tasks[descriptorMark(i)] = x
		}
	}
	s.facets(&score, r.Tasks)
	return score
}

// facets sets a score's objectives and descriptors from its marks.
func (s *search) facets(score *evolve.Score, marks map[string]float64) {
	if score.Failed() {
		return
	}
	score.Objectives, score.Descriptors = nil, nil
	for _, name := range s.recipe.Search.Pareto {
		score.Objectives = append(score.Objectives, marks[name])
	}
	for i := range s.recipe.Search.Descriptors {
		score.Descriptors = append(score.Descriptors, marks[descriptorMark(i)])
	}
}

// descriptorMark is the name of a descriptor among a candidate's marks; a task's has
// no slash.
func descriptorMark(i int) string { return fmt.Sprintf("descriptor/%d", i) }

// answers is how often a label is answered, or how evenly labels are: the entropy as
// a share of the largest that so many labels can have.
func answers(predicted []int32, which string) float64 {
	count := map[int32]float64{}
	last := int32(1)
	for _, p := range predicted {
		count[p]++
		last = max(last, p)
	}
	if label, err := strconv.Atoi(which); err == nil {
		return count[int32(label)] / math.Max(1, float64(len(predicted)))
	}
	h := 0.0
	for _, label := range slices.Sorted(maps.Keys(count)) {
		p := count[label] / float64(len(predicted))
		h -= p * math.Log(p)
	}
	return h / math.Log(float64(last+1))
}
