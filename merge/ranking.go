package merge

import (
	"cmp"
	"fmt"
	"slices"
)

// ranking ranks the entries of a task vector by |d| within its vectors along one axis,
// from 0 for the smallest; of equal magnitudes the first has the lower rank. It takes
// the tensor in slabs that hold whole vectors.
type ranking struct {
	p              *Profile
	length, stride int // of a vector, and between its elements
	slab           int // elements taken at a time
	mag, scratch   []float32
	vector         []float32
	rank           []uint32
	sorter         *rowSorter
}

// along returns the length of a tensor's vectors along an axis, and the distance
// between their elements; a scalar is a vector of one.
func along(shape []int, axis int) (length, stride int) {
	if len(shape) == 0 {
		return 1, 1
	}
	return max(1, shape[axis]), max(1, size(shape[axis+1:]))
}

// ranked returns the ranking that the method asks for; nil if it asks for none.
func (p *Profile) ranked() *ranking {
	if p.rankAxis < 0 {
		return nil
	}
	r := &ranking{p: p}
	r.length, r.stride = along(p.shape, p.rankAxis)
	least := r.length * r.stride
	r.slab = min(max(least, blockLen/least*least), max(least, p.n))
	r.mag, r.scratch, r.rank = make([]float32, r.slab), make([]float32, r.slab), make([]uint32, r.slab)
	r.vector, r.sorter = make([]float32, r.length), newRowSorter(r.length)
	return r
}

// each visits the slabs that hold the elements [begin, end) of a source, with |d| and
// the ranks, which are reused.
func (r *ranking) each(source, begin, end int, visit func(off int, mag []float32, rank []uint32)) error {
	least := r.length * r.stride
	for off := begin / least * least; off < end; {
		n := min(r.slab, (end-off+least-1)/least*least)
		if err := r.p.magnitudeAt(source, off, r.mag[:n], r.scratch); err != nil {
			return err
		}
		for first := 0; first < n; first += least {
			r.slabAt(first)
		}
		visit(off, r.mag[:n], r.rank[:n])
		off += n
	}
	return nil
}

// slabAt ranks the vectors of one index of the axes before the ranked one.
func (r *ranking) slabAt(first int) {
	for s := first; s < first+r.stride; s++ {
		v := r.mag[first : first+r.length]
		if r.stride > 1 {
			v = r.vector
			for i := range v {
				v[i] = r.mag[s+i*r.stride]
			}
		}
		for rank, i := range r.sorter.ascending(v) {
			r.rank[s+int(i)*r.stride] = uint32(rank)
		}
	}
}

// ranksAt writes the ranks of the elements [off, off+len(dst)) of a source.
func (r *ranking) ranksAt(source, off int, dst []uint32) error {
	return r.each(source, off, off+len(dst), func(at int, _ []float32, rank []uint32) {
		if skip := off - at; skip > 0 {
			rank, at = rank[skip:], off
		}
		copy(dst[at-off:], rank)
	})
}

// rankMass returns, for each rank, the sum of |d| of the entries that have it.
func (p *Profile) rankMass(source int) ([]float64, error) {
	return once(p, fmt.Sprint("rank mass ", source), func() ([]float64, error) {
		r := p.ranked()
		sum := make([]float64, r.length)
		err := r.each(source, 0, p.n, func(_ int, mag []float32, rank []uint32) {
			for i, m := range mag {
				sum[rank[i]] += float64(m)
			}
		})
		return sum, err
	})
}

// rowSorter orders magnitudes by radix, ties by index.
type rowSorter struct{ order, other []uint32 }

func newRowSorter(n int) *rowSorter {
	return &rowSorter{make([]uint32, n), make([]uint32, n)}
}

// Digits of 8 bits: 31 bits of a magnitude are four of them.
const (
	digitBits = 8
	digits    = 4
)

// ascending returns the indices of mag from the smallest to the largest. The result
// is reused.
func (s *rowSorter) ascending(mag []float32) []uint32 {
	order := s.order[:len(mag)]
	for i := range order {
		order[i] = uint32(i)
	}
	if len(mag) < 64 {
		slices.SortStableFunc(order, func(a, b uint32) int { return cmp.Compare(mag[a], mag[b]) })
		return order
	}
	var count [digits][1 << digitBits]uint32
	for _, m := range mag {
		bits := magnitudeBits(m)
		for d := range digits {
			count[d][bits>>(d*digitBits)&(1<<digitBits-1)]++
		}
	}
	other := s.other[:len(mag)]
	for d := range digits {
		c := &count[d]
		var before uint32
		sorted := false
		for v, n := range c {
			sorted = sorted || int(n) == len(mag)
			c[v], before = before, before+n
		}
		if sorted {
			continue // one digit for all
		}
		for _, i := range order {
			v := magnitudeBits(mag[i]) >> (d * digitBits) & (1<<digitBits - 1)
			other[c[v]] = i
			c[v]++
		}
		order, other = other, order
	}
	return order
}
