package evolve

import (
	"testing"

	"github.com/mergevo/mergevo/internal/trace"
)

// An independent transcription of the authors' program (bench/m2n2/trace.py) chooses
// the same parents and slots for a thousand steps, given its random numbers and the
// scores of its children.
func TestM2N2FollowsTheTrace(t *testing.T) {
	tr, err := trace.Read("../testdata/digits/trace.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	o := M2N2Reference()
	o.Archive, o.Alpha = tr.Archive, tr.Alpha
	m, err := NewM2N2(blank{seeds: len(tr.Seeds)}, o)
	if err != nil {
		t.Fatal(err)
	}
	id := uint64(0)
	insert := func(right []byte) int {
		id++
		return m.insert(Scored[int]{Candidate: Candidate[int]{ID: id}, Score: Score{Items: tr.Items(right)}})
	}
	for _, right := range tr.Seeds {
		insert(right)
	}
	if len(tr.Steps) != 1000 {
		t.Fatalf("%d steps", len(tr.Steps))
	}
	for i, want := range tr.Steps {
		a, b := couple(m.market(m.Members()), true, want.U, want.V)
		if a != want.A || b != want.B {
			t.Fatalf("step %d: parents %d and %d, want %d and %d", i, a, b, want.A, want.B)
		}
		if slot := insert(want.Right); slot != want.Slot {
			t.Fatalf("step %d: slot %d, want %d", i, slot, want.Slot)
		}
	}
}

// blank breeds nothing.
type blank struct {
	Breeder[int]
	seeds int
}

func (b blank) Seeds() []int { return make([]int, b.seeds) }
