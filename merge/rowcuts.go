package merge

import (
	"cmp"
	"fmt"
	"slices"
)

// rowBands are the cuts of each row of a task vector, low and high, and the sums of
// |d| in the row, of all and of what lies between the cuts.
type rowBands struct {
	cuts      [][2]Cut
	all, kept []float64
}

// rowBands cuts each vector along the last axis at the ranks lo and hi of |d|.
func (p *Profile) rowBands(source int, rows Rows, lo, hi int) (rowBands, error) {
	key := fmt.Sprint("row bands ", source, lo, hi)
	return once(p, key, func() (rowBands, error) {
		n := rows.Count
		b := rowBands{cuts: make([][2]Cut, n), all: make([]float64, n), kept: make([]float64, n)}
		sorter := newRowSorter(rows.Div)
		err := p.eachRow(source, rows, func(row int, mag []float32) {
			first := row * rows.Div
			order := sorter.ascending(mag)
			at := func(count int) Cut {
				switch {
				case count <= 0:
					return cutNone
				case count >= len(mag):
					return cutEvery
				}
				i := order[count-1]
				return Cut{Mag: mag[i], Last: uint32(first + int(i))}
			}
			b.cuts[row] = [2]Cut{at(lo), at(hi)}
			for rank, i := range order {
				b.all[row] += float64(mag[i])
				if rank >= lo && rank < hi {
					b.kept[row] += float64(mag[i])
				}
			}
		})
		return b, err
	})
}

// eachRow calls visit with |d| of each vector along the last axis, in order.
func (p *Profile) eachRow(source int, rows Rows, visit func(row int, mag []float32)) error {
	mag, scratch := make([]float32, rows.Div), make([]float32, rows.Div)
	for row := range rows.Count {
		if err := p.magnitudeAt(source, row*rows.Div, mag, scratch); err != nil {
			return err
		}
		visit(row, mag)
	}
	return nil
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
