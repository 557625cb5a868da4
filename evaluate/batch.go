package evaluate

import (
	"cmp"
	"slices"
)

// batch is sequences of similar length that go through the model at once.
type batch struct {
	// slots are the places of the sequences among all; Rows-len(slots) rows repeat
	// the last one.
	slots        []int
	rows, length int
}

// RoundLength rounds a length in tokens up, to at most limit if there is one: few shapes to
// compile for, and little padding.
func RoundLength(n, limit int) int {
	step := 16
	for n > 8*step {
		step *= 2
	}
	n = (n + step - 1) / step * step
	if limit > 0 {
		n = min(n, limit)
	}
	return n
}

// batches sorts sequences by length into batches of about tokens tokens, none longer
// than limit if there is one. All of one length have the same number of rows.
func batches(sequences []Sequence, slots []int, tokens, limit int) []batch {
	by := map[int][]int{}
	for _, s := range slots {
		n := RoundLength(len(sequences[s].IDs), limit)
		by[n] = append(by[n], s)
	}
	var out []batch
	for n, list := range by {
		slices.SortStableFunc(list, func(a, b int) int { return cmp.Compare(len(sequences[a].IDs), len(sequences[b].IDs)) })
		calls := (len(list)*n + tokens - 1) / tokens
		rows := (len(list) + calls - 1) / calls
		for at := 0; at < len(list); at += rows {
			out = append(out, batch{list[at:min(at+rows, len(list))], rows, n})
		}
	}
	slices.SortFunc(out, func(a, b batch) int { return cmp.Or(b.length-a.length, a.slots[0]-b.slots[0]) })
	return out
}

// ids is the batch's tokens, [rows, length], and lengths theirs, [rows].
func (b batch) ids(sequences []Sequence) (ids, lengths []int32) {
	ids, lengths = make([]int32, b.rows*b.length), make([]int32, b.rows)
	for r := range b.rows {
		q := sequences[b.slot(r)].IDs
		copy(ids[r*b.length:], q)
		lengths[r] = int32(len(q))
	}
	return ids, lengths
}

func (b batch) slot(row int) int { return b.slots[min(row, len(b.slots)-1)] }
