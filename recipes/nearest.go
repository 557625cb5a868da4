package recipes

import "fmt"

// DidYouMean is a hint that names the candidate nearest to a word, or nothing when
// none is near: `did you mean "ties"?`.
func DidYouMean(word string, candidates []string) string { return didYouMean(word, candidates) }

// didYouMean returns a hint that names the candidate nearest to a word, or
// nothing when none is near.
func didYouMean(word string, candidates []string) string {
	if near, ok := nearest(word, candidates); ok {
		return didYouMeanWord(near)
	}
	return ""
}

// nearest returns the candidate at the smallest edit distance from word, if
// that is small enough to be a slip: a third of the word's length.
func nearest(word string, candidates []string) (string, bool) {
	best, found := max(1, min(len(word), maxWord)/3)+1, ""
	for _, c := range candidates {
		if c == word || len(c)-len(word) >= best || len(word)-len(c) >= best {
			continue
		}
		if d := distance(word, c); d < best {
			best, found = d, c
		}
	}
	return found, found != ""
}

// maxWord bounds the words that are compared: the cost is quadratic.
const maxWord = 128

// distance is the number of insertions, deletions, replacements and swaps of
// neighbours that lead from a to b (Damerau 1964, optimal string alignment).
func distance(a, b string) int {
	if len(a) > maxWord || len(b) > maxWord {
		return maxWord
	}
	var before, last, row []int
	for j := range len(b) + 1 {
		last = append(last, j)
	}
	for i := range len(a) {
		row = append(row[:0:0], i+1)
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			d := min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				d = min(d, before[j-1]+1)
			}
			row = append(row, d)
		}
		before, last = last, row
	}
	return last[len(b)]
}

func didYouMeanWord(word string) string { return fmt.Sprintf("did you mean %q?", word) }
