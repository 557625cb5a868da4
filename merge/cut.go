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

// position is where, of n entries counted from 0 in ascending order, the last of the
// rank's is, or for the largest the first.
func (r rank) position(n int) int {
	if r.top {
		return n - r.count
	}
	return r.count - 1
}

// selectCuts finds the cuts of all ranks, each 0 < count <= n, exactly, by radix: a
// histogram of the high bits of the magnitudes finds the bin of each cut, and a
// second pass looks into those bins alone. It never sorts, and its memory does not
// grow with n. each must call visit with the blocks of |d| in index order, the same
// on every call; a magnitude is 0 or at least 2^-126.
func selectCuts(n int, ranks []rank, each func(visit func(off int, mag []float32)) error) (map[rank]Cut, error) {
	out := make(map[rank]Cut, len(ranks))
	// Several hundred ranks at once would need a histogram each.
	for group := range slices.Chunk(ranks, 256) {
		s := selection{n: n, out: out}
		if err := s.run(group, each); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// A float32's magnitude orders as its 31 low bits do: 16 of them make the first
// histogram, 15 the second.
const (
	lowBits = 15
	lowMask = 1<<lowBits - 1
)

// collectMost is how many entries of the wanted bins are kept at a time: 32 MiB of
// them. Where more entries share the high bits, they are counted instead.
const collectMost = 4 << 20

// selection is the search for the cuts of some ranks of n magnitudes.
type selection struct {
	n    int
	out  map[rank]Cut
	slot []int16 // by high bits: the position in bins, -1
	bins []bin
}

// bin is the entries that share their high bits.
type bin struct {
	high   uint32
	before int // entries below it
	count  int
	ranks  []rank
}

// entry is a magnitude's low bits and its index.
type entry struct{ low, index uint32 }

func (s *selection) run(ranks []rank, each func(func(int, []float32)) error) error {
	var even, odd [1 << 16]uint32 // two, so that equal neighbours need not wait for each other
	err := each(func(_ int, mag []float32) {
		for len(mag) >= 2 {
			even[math.Float32bits(mag[0])>>lowBits]++
			odd[math.Float32bits(mag[1])>>lowBits]++
			mag = mag[2:]
		}
		for _, m := range mag {
			even[math.Float32bits(m)>>lowBits]++
		}
	})
	if err != nil {
		return err
	}
	for i, c := range odd {
		even[i] += c
	}
	s.place(ranks, even[:])
	kept := 0
	for _, b := range s.bins {
		if b.high != 0 {
			kept += b.count
		}
	}
	if kept <= collectMost {
		return s.collect(each)
	}
	return s.count(each)
}

// place finds the bin of each rank.
func (s *selection) place(ranks []rank, high []uint32) {
	s.slot = make([]int16, len(high))
	for i := range s.slot {
		s.slot[i] = -1
	}
	for _, r := range ranks {
		h, before := locate(high, r.position(s.n))
		if s.slot[h] < 0 {
			s.slot[h] = int16(len(s.bins))
			s.bins = append(s.bins, bin{high: uint32(h), before: before, count: int(high[h])})
		}
		b := &s.bins[s.slot[h]]
		b.ranks = append(b.ranks, r)
	}
}

// collect keeps the entries of the bins, and looks for the cuts among them.
func (s *selection) collect(each func(func(int, []float32)) error) error {
	kept := make([][]entry, len(s.bins))
	zeros := countdown{s: s}
	for i, b := range s.bins {
		if b.high == 0 {
			zeros.begin(b)
			s.slot[0] = -1 // what lies there is 0, often most of a tensor: it is counted
			continue
		}
		kept[i] = make([]entry, 0, b.count)
	}
	err := each(func(off int, mag []float32) {
		zeros.visit(off, mag)
		for i, m := range mag {
			bits := math.Float32bits(m)
			if k := s.slot[bits>>lowBits]; k >= 0 {
				kept[k] = append(kept[k], entry{bits & lowMask, uint32(off + i)})
			}
		}
	})
	if err != nil {
		return err
	}
	low := make([]uint32, 1<<lowBits)
	for i, b := range s.bins {
		if b.high == 0 {
			continue
		}
		clear(low)
		for _, e := range kept[i] {
			low[e.low]++
		}
		for _, r := range b.ranks {
			l, take := s.within(b, r, low)
			for _, e := range kept[i] {
				if e.low != uint32(l) {
					continue
				}
				if take--; take == 0 {
					s.found(b, r, l, e.index)
					break
				}
			}
		}
	}
	return nil
}

// countdown finds the cuts among zeros.
type countdown struct {
	s     *selection
	b     bin
	ranks []rank // by how many zeros they take
	takes []int
	seen  int
}

func (c *countdown) begin(b bin) {
	c.b = b
	c.ranks = slices.Clone(b.ranks)
	take := func(r rank) int {
		if r.top {
			return r.count - (c.s.n - b.count)
		}
		return r.count
	}
	slices.SortFunc(c.ranks, func(x, y rank) int { return take(x) - take(y) })
	for _, r := range c.ranks {
		c.takes = append(c.takes, take(r))
	}
}

func (c *countdown) visit(off int, mag []float32) {
	for i := 0; i < len(mag) && len(c.takes) > 0; i++ {
		if mag[i] != 0 {
			continue
		}
		for c.seen++; len(c.takes) > 0 && c.takes[0] == c.seen; c.takes, c.ranks = c.takes[1:], c.ranks[1:] {
			c.s.found(c.b, c.ranks[0], 0, uint32(off+i))
		}
	}
}

// within returns the low bits of a rank's cut, and how many entries of just that
// magnitude the rank takes.
func (s *selection) within(b bin, r rank, low []uint32) (l, take int) {
	l, below := locate(low, r.position(s.n)-b.before)
	smaller := b.before + below
	take = r.count - smaller
	if r.top {
		take = r.count - (s.n - smaller - int(low[l]))
	}
	return l, take
}

func (s *selection) found(b bin, r rank, low int, index uint32) {
	s.out[r] = Cut{Mag: math.Float32frombits(b.high<<lowBits | uint32(low)), Last: index}
}

// count is collect for bins of too many entries: a histogram of the low bits, then
// a pass that counts to the entry at each cut.
func (s *selection) count(each func(func(int, []float32)) error) error {
	low := make([][]uint32, len(s.bins))
	for i := range low {
		low[i] = make([]uint32, 1<<lowBits)
	}
	err := each(func(_ int, mag []float32) {
		for _, m := range mag {
			bits := math.Float32bits(m)
			if k := s.slot[bits>>lowBits]; k >= 0 {
				low[k][bits&lowMask]++
			}
		}
	})
	if err != nil {
		return err
	}
	type taker struct {
		rank      rank
		low, take int
	}
	// at is, by bin and low bits, 1 + the position of the cuts of that magnitude.
	at := make([][]int32, len(s.bins))
	var groups [][]taker
	for i, b := range s.bins {
		at[i] = make([]int32, 1<<lowBits)
		for _, r := range b.ranks {
			l, take := s.within(b, r, low[i])
			if at[i][l] == 0 {
				groups = append(groups, nil)
				at[i][l] = int32(len(groups))
			}
			g := &groups[at[i][l]-1]
			*g = append(*g, taker{r, l, take})
		}
	}
	seen := make([]int, len(groups))
	return each(func(off int, mag []float32) {
		for i, m := range mag {
			bits := math.Float32bits(m)
			k := s.slot[bits>>lowBits]
			if k < 0 {
				continue
			}
			g := at[k][bits&lowMask]
			if g == 0 {
				continue
			}
			seen[g-1]++
			for _, t := range groups[g-1] {
				if t.take == seen[g-1] {
					s.found(s.bins[k], t.rank, t.low, uint32(off+i))
				}
			}
		}
	})
}

// locate returns the bin that holds position pos, and how many lie before it.
func locate(hist []uint32, pos int) (bin, before int) {
	for b, c := range hist {
		if before+int(c) > pos {
			return b, before
		}
		before += int(c)
	}
	panic("merge: rank beyond the histogram")
}
