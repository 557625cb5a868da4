package merge

import (
	"math"
	"slices"
)

// Cut is a place in the order of a task vector's entries by magnitude. Entries
// of equal magnitude are ordered by index, so that a cut keeps an exact number.
type Cut struct {
	Mag  float32 // |d| at the cut
	Last uint32  // the last index of that magnitude that is still inside
}

// Top reports whether an entry is among the largest: ties go to the lowest index.
func (c Cut) Top(mag float32, index uint32) bool {
	return mag > c.Mag || mag == c.Mag && index <= c.Last
}

// Below reports whether an entry is among the smallest: ties go to the lowest index.
func (c Cut) Below(mag float32, index uint32) bool {
	return mag < c.Mag || mag == c.Mag && index <= c.Last
}

var (
	cutAll      = Cut{Mag: -1}                   // Top keeps everything
	cutNone     = Cut{Mag: -1}                   // Below keeps nothing
	cutEvery    = Cut{Mag: float32(math.Inf(1))} // Below keeps everything
	cutTopEmpty = Cut{Mag: float32(math.Inf(1))} // Top keeps nothing
)

// rank asks for one cut: the `count` largest, or the `count` smallest entries.
type rank struct {
	top   bool
	count int
}

// selectCuts finds the cuts of all ranks, each 0 < count < n, exactly, by two
// histograms of the magnitudes' bits and a scan for the index at each tie. It
// never sorts, and its memory does not grow with n. each must call visit with
// the blocks of |d| in index order, the same on every call.
func selectCuts(n int, ranks []rank, each func(visit func(off int, mag []float32)) error) (map[rank]Cut, error) {
	out := make(map[rank]Cut, len(ranks))
	// Several hundred ranks at once would need a histogram each.
	for group := range slices.Chunk(ranks, 256) {
		if err := selectGroup(n, group, each, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// A float32's magnitude orders as its 31 low bits do: 16 of them make the first
// histogram, 15 the second.
const lowBits = 15

func selectGroup(n int, ranks []rank, each func(func(int, []float32)) error, out map[rank]Cut) error {
	high := make([]int, 1<<16)
	err := each(func(_ int, mag []float32) {
		for _, m := range mag {
			high[math.Float32bits(m)>>lowBits]++
		}
	})
	if err != nil {
		return err
	}
	// The count-th largest is the (n-count+1)-th smallest: position n-count from 0.
	slot := make([]int16, 1<<16)
	for i := range slot {
		slot[i] = -1
	}
	type place struct{ bin, before int }
	places := make([]place, len(ranks))
	var low [][]int
	for i, r := range ranks {
		pos := r.count - 1
		if r.top {
			pos = n - r.count
		}
		b, before := locate(high, pos)
		places[i] = place{b, before}
		if slot[b] < 0 {
			slot[b] = int16(len(low))
			low = append(low, make([]int, 1<<lowBits))
		}
	}
	err = each(func(_ int, mag []float32) {
		for _, m := range mag {
			bits := math.Float32bits(m)
			if s := slot[bits>>lowBits]; s >= 0 {
				low[s][bits&(1<<lowBits-1)]++
			}
		}
	})
	if err != nil {
		return err
	}
	// want[bits] lists, for one magnitude, how many of its entries each rank takes.
	type taker struct {
		r    rank
		take int
	}
	want := map[uint32][]taker{}
	for i, r := range ranks {
		p := places[i]
		pos := r.count - 1
		if r.top {
			pos = n - r.count
		}
		l, within := locate(low[slot[p.bin]], pos-p.before)
		bits := uint32(p.bin)<<lowBits | uint32(l)
		smaller := p.before + within
		take := r.count - smaller // of those equal, so many are among the count smallest
		if r.top {
			take = r.count - (n - smaller - low[slot[p.bin]][l])
		}
		want[bits] = append(want[bits], taker{r, take})
	}
	seen := make(map[uint32]int, len(want))
	return each(func(off int, mag []float32) {
		for i, m := range mag {
			bits := math.Float32bits(m)
			if slot[bits>>lowBits] < 0 {
				continue
			}
			takers, ok := want[bits]
			if !ok {
				continue
			}
			seen[bits]++
			for _, t := range takers {
				if t.take == seen[bits] {
					out[t.r] = Cut{Mag: m, Last: uint32(off + i)}
				}
			}
		}
	})
}

// locate returns the bin that holds position pos, and how many lie before it.
func locate(hist []int, pos int) (bin, before int) {
	for b, c := range hist {
		if before+c > pos {
			return b, before
		}
		before += c
	}
	panic("merge: rank beyond the histogram")
}
