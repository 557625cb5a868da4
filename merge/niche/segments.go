// Package niche merges models as M2N2 does (Abrantes, Lange and Tang 2025,
// arXiv:2508.16204): two parents are mixed by one ratio before a split point of the
// flat order of their weights, and by its complement behind it. Without mutation
// every descendant is a mix of the seeds, whose shares are constant between the
// splits of its ancestry: Segments says so in a few kilobytes, whatever the models'
// size, and is exact, since no generation rounds.
package niche

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Segments is what share of each seed a model has, piece by piece along the flat order.
type Segments struct {
	// Ends are where the pieces end, ascending; the last is the number of weights.
	Ends []int64
	// Shares has a row a piece, a number a seed.
	Shares [][]float64
}

// One is seed k of count, of n weights.
func One(n int64, k, count int) Segments {
	row := make([]float64, count)
	row[k] = 1
	return Segments{Ends: []int64{n}, Shares: [][]float64{row}}
}

// Len is the number of weights.
func (s Segments) Len() int64 { return s.Ends[len(s.Ends)-1] }

// Materialize writes the weights to dst, of length Len: Σ share·seed, summed in
// float64 and rounded once. Seeds are flat.
func (s Segments) Materialize(dst []float32, seeds [][]float32) {
	var sum [1024]float64
	at := int64(0)
	for i, end := range s.Ends {
		for at < end {
			to := min(end, at+int64(len(sum)))
			part := sum[:to-at]
			clear(part)
			for k, share := range s.Shares[i] {
				if share == 0 {
					continue
				}
				seed := seeds[k][at:to]
				for j := range part {
					part[j] += share * float64(seed[j])
				}
			}
			out := dst[at:to]
			for j, v := range part {
				out[j] = float32(v)
			}
			at = to
		}
	}
}

// product is the inner product of two models within [lo, hi).
func product(a, b Segments, g *Gram, lo, hi int64) float64 {
	sum := 0.0
	both(a, b, lo, hi, func(lo, hi int64, x, y []float64) {
		sum += g.Product(x, y, lo, hi)
	})
	return sum
}

// both calls f for each piece of [lo, hi) on which a and b have constant shares.
func both(a, b Segments, lo, hi int64, f func(lo, hi int64, x, y []float64)) {
	i, _ := slices.BinarySearch(a.Ends, lo+1)
	j, _ := slices.BinarySearch(b.Ends, lo+1)
	for lo < hi {
		end := min(a.Ends[i], b.Ends[j], hi)
		f(lo, end, a.Shares[i], b.Shares[j])
		if a.Ends[i] == end {
			i++
		}
		if b.Ends[j] == end {
			j++
		}
		lo = end
	}
}

// add appends a piece, or lengthens the last one if that has the same shares.
func (s *Segments) add(end int64, shares []float64) {
	if last := len(s.Ends) - 1; last >= 0 && slices.Equal(s.Shares[last], shares) {
		s.Ends[last] = end
		return
	}
	s.Ends = append(s.Ends, end)
	s.Shares = append(s.Shares, shares)
}

// MarshalBinary implements encoding.BinaryMarshaler: 8 bytes a piece and 8 a share.
func (s Segments) MarshalBinary() ([]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	count := len(s.Shares[0])
	out := binary.LittleEndian.AppendUint32(nil, uint32(count))
	for i, end := range s.Ends {
		out = binary.LittleEndian.AppendUint64(out, uint64(end))
		for _, v := range s.Shares[i] {
			out = binary.LittleEndian.AppendUint64(out, math.Float64bits(v))
		}
	}
	return out, nil
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler.
func (s *Segments) UnmarshalBinary(data []byte) error {
	if len(data) < 4 {
		return errors.New("segments end early")
	}
	count := int64(binary.LittleEndian.Uint32(data))
	data = data[4:]
	size := 8 + 8*count
	if count == 0 || int64(len(data))%size != 0 {
		return fmt.Errorf("segments of %d seeds do not take %d bytes", count, len(data))
	}
	var out Segments
	for ; len(data) > 0; data = data[size:] {
		out.Ends = append(out.Ends, int64(binary.LittleEndian.Uint64(data)))
		row := make([]float64, count)
		for k := range row {
			row[k] = math.Float64frombits(binary.LittleEndian.Uint64(data[8+8*k:]))
		}
		out.Shares = append(out.Shares, row)
	}
	if err := out.Validate(); err != nil {
		return err
	}
	*s = out
	return nil
}

// Validate says what is wrong with segments that were read.
func (s Segments) Validate() error {
	if len(s.Ends) == 0 || len(s.Ends) != len(s.Shares) {
		return fmt.Errorf("%d ends for %d rows of shares", len(s.Ends), len(s.Shares))
	}
	last := int64(0)
	for i, end := range s.Ends {
		if end <= last {
			return fmt.Errorf("segment %d ends at %d, the one before at %d", i, end, last)
		}
		last = end
		if len(s.Shares[i]) == 0 || len(s.Shares[i]) != len(s.Shares[0]) {
			return fmt.Errorf("segment %d has shares of %d seeds, the first of %d", i, len(s.Shares[i]), len(s.Shares[0]))
		}
		for k, v := range s.Shares[i] {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("segment %d: the share of seed %d is %v", i, k, v)
			}
		}
	}
	return nil
}

// Numbers are the segments as one list: of each its end and its shares.
func (s Segments) Numbers() []float64 {
	var out []float64
	for i, end := range s.Ends {
		out = append(append(out, float64(end)), s.Shares[i]...)
	}
	return out
}

// FromNumbers is the inverse of Numbers, for so many seeds.
func FromNumbers(numbers []float64, seeds int) (Segments, error) {
	var s Segments
	if len(numbers)%(1+seeds) != 0 {
		return s, fmt.Errorf("%d numbers are no segments of %d seeds", len(numbers), seeds)
	}
	for ; len(numbers) > 0; numbers = numbers[1+seeds:] {
		s.Ends, s.Shares = append(s.Ends, int64(numbers[0])), append(s.Shares, numbers[1:1+seeds:1+seeds])
	}
	return s, s.Validate()
}
