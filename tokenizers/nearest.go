package tokenizers

import (
	"fmt"
	"iter"
	"unicode/utf8"
)

// didYouMean is the end of an error about an unknown word: the nearest of the
// known ones, if a slip could have made one of the other.
func didYouMean(word string, known iter.Seq[string]) string {
	limit := max(1, min(utf8.RuneCountInString(word), maxWord)/3)
	found, ok := "", false
	for k := range known {
		if k == word || k == "" {
			continue
		}
		// Among equally near ones the smallest, since maps have no order.
		if d := distance(word, k, limit); d < limit || d == limit && (!ok || k < found) {
			limit, found, ok = d, k, true
		}
	}
	if !ok {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", found)
}

// maxWord bounds the words that are compared, in bytes: the cost is quadratic.
const maxWord = 128

// distance is the number of insertions, deletions, replacements and swaps of
// neighbours that lead from a to b (Damerau 1964), or more than limit where it is.
func distance(a, b string, limit int) int {
	if len(a) > maxWord || len(b) > maxWord || len(a)-len(b) > 4*limit || len(b)-len(a) > 4*limit {
		return limit + 1
	}
	x, y := []rune(a), []rune(b)
	if len(x)-len(y) > limit || len(y)-len(x) > limit {
		return limit + 1
	}
	var before, last []int
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i, r := range x {
		before, last, row = last, row, append(make([]int, 0, len(y)+1), i+1)
		for j, s := range y {
			d := last[j]
			if r != s {
				d = 1 + min(last[j], last[j+1], row[j])
			}
			if i > 0 && j > 0 && r == y[j-1] && x[i-1] == s {
				d = min(d, before[j-1]+1)
			}
			row = append(row, d)
		}
	}
	return row[len(y)]
}
