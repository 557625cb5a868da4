package main

import (
	"fmt"

	"github.com/mergevo/mergevo/evaluate"
)

// vote returns a majority's answers, and whether they are right, by models of which the
// first is the best: it decides where two answers have as many votes, and so on. Who
// failed has no vote.
func vote(voters []*entry) (predicted []int32, right []float32) {
	var able []*entry
	for _, e := range voters {
		if e.result.Err == nil {
			able = append(able, e)
		}
	}
	if len(able) == 0 {
		return nil, nil
	}
	for i := range able[0].result.Predicted {
		// The voter whose answer it is: that is right if the voter's is.
		chosen, most := able[0], 0
		for _, e := range able {
			votes := 0
			for _, other := range able {
				if other.result.Predicted[i] == e.result.Predicted[i] {
					votes++
				}
			}
			if votes > most {
				chosen, most = e, votes
			}
		}
		predicted = append(predicted, chosen.result.Predicted[i])
		right = append(right, chosen.result.Items[i])
	}
	return predicted, right
}

// ensemble is the entry of a vote. No single model answers so: it says what keeping
// several would be worth (Zhang et al. 2025, arXiv:2503.01155).
func (a *arena) ensemble(voters []*entry) *entry {
	r := evaluate.Result{Tasks: map[string]float64{}}
	if r.Predicted, r.Items = vote(voters); r.Predicted == nil {
		return nil
	}
	for _, t := range a.report.Layout() {
		for _, right := range r.Items[t.Offset : t.Offset+t.Count] {
			r.Tasks[t.Task] += float64(right) / float64(t.Count)
		}
	}
	e := &entry{Name: fmt.Sprintf("majority of %d", len(voters)), result: r}
	a.fill(e)
	return e
}
