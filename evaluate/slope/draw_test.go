package slope

import (
	"slices"
	"testing"

	"github.com/mergevo/mergevo/evaluate"
)

// A batch larger than the set is the set.
func TestDraw(t *testing.T) {
	s := &Slope{sets: []*evaluate.Dataset{{Labels: make([]int32, 5)}}, batch: 64}
	for step := range 3 {
		got := s.draw(0, step)
		slices.Sort(got)
		if !slices.Equal(got, []int{0, 1, 2, 3, 4}) {
			t.Errorf("step %d: %v", step, got)
		}
	}
}
