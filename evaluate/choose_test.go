package evaluate

import "testing"

// Of equal options the first counts; by length, one without characters is never the best.
func TestChoose(t *testing.T) {
	d := &Dataset{Kind: Choice, Metric: AccNorm, Options: []int{3, 2}, Labels: []int32{1, 0},
		Sequences: []Sequence{{Chars: 0}, {Chars: 2}, {Chars: 1}, {Chars: 0}, {Chars: 0}}}
	a := &answers{logLik: []float64{-0.5, -4, -2, -1, -0.1}}
	items, predicted := make([]float64, 2), make([]int32, 2)
	d.choose(a, items, predicted)
	if items[0] != 1 || items[1] != 1 || predicted[0] != 1 || predicted[1] != 0 {
		t.Error(items, predicted)
	}
}
