package merge

import (
	"math"
	"math/bits"
	"slices"
)

// window is the magnitudes among which a rank's cut is expected: zeros, which are
// often many, are counted by blocks, others are kept.
type window struct {
	rank  rank
	low   uint32 // bits of the least magnitude that is kept, above 0
	width uint32 // how many magnitudes there are from there on
	below []int  // by block: entries under low
	under int    // their sum
	hits  []hit  // in index order
}

// hit is a magnitude's bits, then its index.
type hit uint64

func (h hit) bits() uint32  { return uint32(h >> 32) }
func (h hit) index() uint32 { return uint32(h) }

// windowBlock is the number of elements looked at together: their magnitudes stay in
// the processor's second cache.
const windowBlock = 1 << 15

// sampleLeast is the number of elements from which on a sample pays; of fewer, all are
// kept.
const sampleLeast = 1 << 15

// selectCutsNear is [selectCuts] for few ranks, in one pass: a sample of the
// magnitudes says where each cut must be about, and the pass keeps what lies there.
// What is found is exact. ok is false where a cut was elsewhere after all, or too many
// entries lay there. read reads magnitudes from any element on.
func selectCutsNear(n int, ranks []rank, read func(off int, mag []float32) error) (cuts map[rank]Cut, ok bool, err error) {
	windows, err := openWindows(n, ranks, read)
	if windows == nil || err != nil {
		return nil, false, err
	}
	block := min(windowBlock, n)
	buf, in := make([]float32, block), make([]uint64, (block+63)/64)
	for off := 0; off < n; off += windowBlock {
		mag := buf[:min(windowBlock, n-off)]
		if err := read(off, mag); err != nil {
			return nil, false, err
		}
		for i := range windows {
			windows[i].visit(off, mag, in)
			if len(windows[i].hits) > collectMost {
				return nil, false, nil
			}
		}
	}
	cuts = map[rank]Cut{}
	for _, w := range windows {
		c, ok, err := w.cut(n, read)
		if !ok || err != nil {
			return nil, false, err
		}
		cuts[w.rank] = c
	}
	return cuts, true, nil
}

// openWindows places a window for each rank by a sample of runs, the same each time.
// Its width is many times what chance makes of a sample of single entries: those of a
// run are alike. There are none for so large a tensor that too many would be kept.
func openWindows(n int, ranks []rank, read func(int, []float32) error) ([]window, error) {
	windows := make([]window, len(ranks))
	if n < sampleLeast {
		for i, r := range ranks {
			windows[i] = window{rank: r, low: 1, width: math.Float32bits(math.MaxFloat32), hits: make([]hit, 0, n)}
		}
		return windows, nil
	}
	const run = 64
	runs := min(max(n/256, 1<<12), 1<<18) / run
	mag := make([]float32, run)
	sample := make([]uint32, 0, runs*run)
	for i := range runs {
		if err := read(i*(n-run)/(runs-1), mag); err != nil {
			return nil, err
		}
		for _, m := range mag {
			sample = append(sample, math.Float32bits(m))
		}
	}
	slices.Sort(sample)
	margin := int(3 * math.Sqrt(float64(len(sample))))
	expected := int(1.25 * float64(2*margin) / float64(len(sample)) * float64(n))
	if expected > collectMost {
		return nil, nil
	}
	for i, r := range ranks {
		at := int(float64(r.position(n)) / float64(n) * float64(len(sample)))
		low, high := uint32(0), math.Float32bits(math.MaxFloat32)
		if at >= margin {
			low = sample[at-margin]
		}
		if at+margin < len(sample) {
			high = sample[at+margin]
		}
		low = max(low, 1)
		windows[i] = window{rank: r, low: low, width: max(high+1, low) - low, hits: make([]hit, 0, expected)}
	}
	return windows, nil
}

// visit looks through a block of magnitudes; in is scratch, a bit for each of them.
func (w *window) visit(off int, mag []float32, in []uint64) {
	below := scan(mag, w.low, w.width, in)
	w.below = append(w.below, below)
	w.under += below
	if w.width == 0 {
		return
	}
	for word, set := range in[:(len(mag)+63)/64] {
		for ; set != 0; set &= set - 1 {
			i := word*64 + bits.TrailingZeros64(set)
			w.hits = append(w.hits, hit(math.Float32bits(mag[i]))<<32|hit(off+i))
		}
	}
}

// scan counts the magnitudes whose bits are below low, and sets the bits in `in` of the
// width magnitudes from low on.
func scan(mag []float32, low, width uint32, in []uint64) (below int) {
	n, below := scanMany(mag, low, width-1, in)
	clear(in[n/64:])
	for i, m := range mag[n:] {
		b := math.Float32bits(m)
		if b < low {
			below++
		} else if b-low < width {
			in[(n+i)/64] |= 1 << ((n + i) % 64)
		}
	}
	return below
}

// cut finds the cut among what was kept, or among the zeros.
func (w *window) cut(n int, read func(int, []float32) error) (c Cut, ok bool, err error) {
	above := n - w.under - len(w.hits)
	count, at := w.rank.count-w.under, w.rank.position(n)-w.under // among what was kept
	if w.rank.top {
		count = w.rank.count - above
	}
	switch {
	case w.low == 1 && at < 0:
		zeros := w.rank.count
		if w.rank.top {
			zeros -= n - w.under
		}
		return w.zero(n, zeros, read)
	case at < 0 || at >= len(w.hits):
		return c, false, nil
	}
	return w.kept(at, count), true, nil
}

// kept is the cut that takes the first or the last count of what was kept; it lies at a
// place in their order, ascending.
func (w *window) kept(at, count int) Cut {
	var hist [1 << 12]uint32
	shift := max(0, bits.Len32(w.width-1)-12)
	for _, h := range w.hits {
		hist[(h.bits()-w.low)>>shift]++
	}
	part, before := locate(hist[:], at)
	near := make([]hit, 0, hist[part])
	for _, h := range w.hits {
		if int((h.bits()-w.low)>>shift) == part {
			near = append(near, h)
		}
	}
	slices.Sort(near) // of equal magnitudes the first comes first
	mag := near[at-before].bits()
	smaller, _ := slices.BinarySearch(near, hit(mag)<<32)
	larger, _ := slices.BinarySearch(near, hit(mag+1)<<32)
	take := count - before - smaller
	if w.rank.top {
		take = count - (len(w.hits) - before - larger)
	}
	return Cut{math.Float32frombits(mag), near[smaller+take-1].index()}
}

// zero is the cut at the zero of a number, counted from 1.
func (w *window) zero(n, number int, read func(int, []float32) error) (Cut, bool, error) {
	for block, zeros := range w.below {
		if number > zeros {
			number -= zeros
			continue
		}
		off := block * windowBlock
		mag := make([]float32, min(windowBlock, n-off))
		if err := read(off, mag); err != nil {
			return Cut{}, false, err
		}
		for i, m := range mag {
			if m == 0 {
				number--
			}
			if number == 0 {
				return Cut{0, uint32(off + i)}, true, nil
			}
		}
	}
	return Cut{}, false, nil
}
