package evolve_test

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
	"testing"

	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/evolve/evolvetest"
)

// No state makes an optimizer panic, be it refused or accepted. Sums are made
// right, or the fuzzer would never get past them.
func FuzzUnmarshalBinary(f *testing.F) {
	box := evolve.Box{{Name: "a", Hi: 1}, {Name: "b", Hi: 1}}
	for i, a := range evolve.Optimizers() {
		o, err := a.New(box, evolve.Settings{Proposer: evolvetest.Propose})
		if err != nil {
			f.Fatal(err)
		}
		for range 3 {
			b, err := o.MarshalBinary()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(i, b[:len(b)-4])
			pop, err := o.Ask(f.Context())
			if err != nil {
				f.Fatal(err)
			}
			told := make([]evolve.Scored[[]float64], len(pop))
			for k, c := range pop {
				told[k] = evolve.Scored[[]float64]{Candidate: c, Score: evolve.Score{Value: c.Genome[0]}}
			}
			if err := o.Tell(told); err != nil {
				f.Fatal(err)
			}
		}
	}
	f.Fuzz(func(t *testing.T, i int, data []byte) {
		all := evolve.Optimizers()
		a := all[uint(i)%uint(len(all))]
		o, err := a.New(box, evolve.Settings{Proposer: evolvetest.Propose})
		if err != nil {
			t.Fatal(err)
		}
		if o.UnmarshalBinary(data) == nil {
			t.Fatal("accepted without a sum")
		}
		data = binary.LittleEndian.AppendUint32(slices.Clip(data), crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
		if o.UnmarshalBinary(data) != nil {
			return
		}
		o.Stop()
		pop, err := o.Ask(t.Context())
		if err != nil || len(pop) > 1000 {
			return
		}
		told := make([]evolve.Scored[[]float64], len(pop))
		for k, c := range pop {
			told[k] = evolve.Scored[[]float64]{Candidate: c, Score: evolve.Score{Value: c.Genome[0]}}
		}
		if err := o.Tell(told); err != nil {
			t.Fatal(err)
		}
		o.Stop()
	})
}
