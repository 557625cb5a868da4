package main

import (
	"slices"
	"testing"

	"github.com/mergevo/mergevo/evaluate"
)

func TestEnsemble(t *testing.T) {
	voter := func(predicted ...int32) *entry {
		r := evaluate.Result{Predicted: predicted}
		for i, p := range predicted { // the label of example i is i
			right := float32(0)
			if int(p) == i {
				right = 1
			}
			r.Items = append(r.Items, right)
		}
		return &entry{result: r}
	}
	failed := &entry{result: evaluate.Result{Err: errCandidates}}
	for name, c := range map[string]struct {
		voters []*entry
		want   []int32
		right  []float32
	}{
		"one":             {[]*entry{voter(0, 2, 2)}, []int32{0, 2, 2}, []float32{1, 0, 1}},
		"majority":        {[]*entry{voter(5, 1, 7), voter(0, 6, 7), voter(0, 1, 2)}, []int32{0, 1, 7}, []float32{1, 1, 0}},
		"the best decide": {[]*entry{voter(0, 6, 2), voter(9, 1, 8)}, []int32{0, 6, 2}, []float32{1, 0, 1}},
		"all differ":      {[]*entry{voter(4, 1, 2), voter(0, 5, 6), voter(7, 8, 9)}, []int32{4, 1, 2}, []float32{0, 1, 1}},
		"one failed":      {[]*entry{failed, voter(0, 1, 2)}, []int32{0, 1, 2}, []float32{1, 1, 1}},
	} {
		predicted, items := vote(c.voters)
		if !slices.Equal(predicted, c.want) || !slices.Equal(items, c.right) {
			t.Errorf("%s: %v %v, want %v %v", name, predicted, items, c.want, c.right)
		}
	}
	if predicted, _ := vote([]*entry{failed}); predicted != nil {
		t.Errorf("who failed voted %v", predicted)
	}
}
