package main

import (
	"testing"
	"time"

	"github.com/mergevo/mergevo/evaluate/niches"
	"github.com/mergevo/mergevo/merge/niche"
)

// The loop on the device takes the steps of the trace: the same parents, the same slots,
// the same digits right but for a few on which two logits are equal but for rounding.
func TestLoopTrace(t *testing.T) {
	tr, d, b, e := traced(t)
	if b.Kind == "go" {
		t.Skip("the Go backend has no while loop")
	}
	const steps = 100
	l, err := niches.New(b.Backend, niches.Options{
		Archive: tr.Archive, Flight: 1, Steps: steps, Alpha: 1, Attraction: true,
		Crossing: niche.Crossing{Split: true, Chromosomes: []int64{weights}},
	}, e.train.data())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Finalize()
	if _, err := l.Begin(d.seeds); err != nil {
		t.Fatal(err)
	}
	members := make([]uint64, tr.Archive+1) // by slot
	members[0], members[1] = 1, 2
	parents, slots, differ := 0, 0, 0
	for at := 0; at < len(tr.Steps); at += steps {
		var draws []niches.Draw
		for _, s := range tr.Steps[at : at+steps] {
			draws = append(draws, niches.Draw{First: s.U, Second: s.V, Cuts: []niche.Cut{{At: s.Split, Ratio: s.Ratio}}})
		}
		began := time.Now()
		children, err := l.Run(draws)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(time.Since(began))
		for i, c := range children {
			s := tr.Steps[at+i]
			if c.Parents != [2]uint64{members[s.A], members[s.B]} {
				parents++
			}
			if c.Slot != s.Slot {
				slots++
			}
			for j, want := range tr.Items(s.Right) {
				if float32(c.Right[j]) != want {
					differ++
				}
			}
			members[c.Slot] = c.ID
		}
	}
	t.Logf("%d parents, %d slots and %d of %d digits differ", parents, slots, differ, len(tr.Steps)*e.train.count)
	if parents > 0 || slots > 0 || differ > 20 {
		t.Error("the loop takes other steps")
	}
}
