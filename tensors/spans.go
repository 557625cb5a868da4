package tensors

import (
	"slices"
	"sort"
)

// spans is a set of byte ranges [lo, hi), disjoint, sorted, not touching:
// tensors written front to back keep it at one.
type spans [][2]int64

// add inserts [lo, hi), which must not be empty, and reports whether none of
// it was there before; otherwise it changes nothing.
func (s *spans) add(lo, hi int64) bool {
	// First span that ends at lo or later: the only one it can touch on its left.
	i := sort.Search(len(*s), func(i int) bool { return (*s)[i][1] >= lo })
	j := i
	if j < len(*s) && (*s)[j][1] == lo {
		j++ // touches: the overlap can only be with the next
	}
	if j < len(*s) && (*s)[j][0] < hi {
		return false
	}
	if j > i {
		lo = (*s)[i][0]
	}
	if j < len(*s) && (*s)[j][0] == hi {
		hi = (*s)[j][1]
		j++
	}
	*s = slices.Replace(*s, i, j, [2]int64{lo, hi})
	return true
}

// total returns the bytes covered.
func (s spans) total() (n int64) {
	for _, r := range s {
		n += r[1] - r[0]
	}
	return n
}
