package evaluate

import (
	"math/rand/v2"
	"testing"
)

// Each sequence is in one batch, which is long enough for it and no longer than the
// model takes; batches of one length are compiled for once.
func TestBatches(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		limit := 20 + rng.IntN(500)
		var sequences []Sequence
		var slots []int
		for i := range 1 + rng.IntN(300) {
			sequences = append(sequences, Sequence{IDs: make([]int32, 1+rng.IntN(limit))})
			slots = append(slots, i)
		}
		seen := make([]int, len(sequences))
		rows := map[int]int{}
		for _, b := range batches(sequences, slots, 1024, limit) {
			if b.length > limit || len(b.slots) > b.rows || len(b.slots) == 0 {
				t.Fatalf("a batch of %d rows and %d tokens for %d sequences; the model takes %d", b.rows, b.length, len(b.slots), limit)
			}
			if n, ok := rows[b.length]; ok && n != b.rows {
				t.Errorf("batches of %d tokens have %d and %d rows", b.length, n, b.rows)
			}
			rows[b.length] = b.rows
			ids, lengths := b.ids(sequences)
			if len(ids) != b.rows*b.length || len(lengths) != b.rows {
				t.Fatalf("%d ids, %d lengths", len(ids), len(lengths))
			}
			for r, s := range b.slots {
				seen[s]++
				if int(lengths[r]) != len(sequences[s].IDs) || len(sequences[s].IDs) > b.length {
					t.Errorf("a sequence of %d tokens has length %d in a batch of %d", len(sequences[s].IDs), lengths[r], b.length)
				}
			}
		}
		for s, n := range seen {
			if n != 1 {
				t.Fatalf("sequence %d is in %d batches", s, n)
			}
		}
	}
}
