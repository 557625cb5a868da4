package evolve_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/mergevo/mergevo/evolve"
)

// Who follows a search has its state, and goes on as it does.
func TestM2N2Follow(t *testing.T) {
	led, follower := newM2N2(t, nil), newM2N2(t, nil)
	step := func(m *evolve.M2N2[uint64]) []evolve.Scored[uint64] {
		t.Helper()
		pop, err := m.Ask(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		var told []evolve.Scored[uint64]
		for _, c := range pop {
			told = append(told, evolve.Scored[uint64]{Candidate: c, Score: spell(c.Genome)})
		}
		if err := m.Tell(told); err != nil {
			t.Fatal(err)
		}
		return told
	}
	if err := follower.Follow(nil, nil); !errors.Is(err, evolve.ErrNotAsked) {
		t.Errorf("followed before the seeds: %v", err)
	}
	step(led)
	step(follower)
	for range 40 {
		child := step(led)[0]
		slot := slices.IndexFunc(led.Slots(), func(s evolve.Scored[uint64]) bool { return s.ID == child.ID })
		if slot < 0 {
			slot = len(led.Slots())
		}
		bare := child
		bare.Genome = 0
		if err := follower.Follow([]evolve.Scored[uint64]{bare}, []int{slot}); err != nil {
			t.Fatal(err)
		}
		if slot < len(led.Slots()) {
			follower.SetGenome(slot, child.Genome)
		}
	}
	want, err := led.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := follower.MarshalBinary(); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("the follower's state differs (%v)", err)
	}
	if a, b := step(led), step(follower); a[0].Genome != b[0].Genome {
		t.Errorf("the next child is %x, the follower's %x", a[0].Genome, b[0].Genome)
	}
	next := evolve.Scored[uint64]{Candidate: evolve.Candidate[uint64]{ID: follower.Next()}, Score: spell(1)}
	for name, bad := range map[string]struct {
		child evolve.Scored[uint64]
		slot  int
	}{
		"another ID":    {evolve.Scored[uint64]{Candidate: evolve.Candidate[uint64]{ID: 7}, Score: spell(1)}, 0},
		"no such slot":  {next, 9},
		"without items": {evolve.Scored[uint64]{Candidate: next.Candidate}, 0},
	} {
		if err := follower.Follow([]evolve.Scored[uint64]{bad.child}, []int{bad.slot}); !errors.Is(err, evolve.ErrNotAsked) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
