package encode

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// bpe joins neighbours by rank, the lowest first, of equal ranks the leftmost
// (Sennrich et al. 2016).
type bpe struct {
	vocab          map[string]int
	merges         map[[2]int]merged
	unk            int // -1 without one
	fuse, whole    bool
	prefix, suffix string
	bytes          *[256]int // nil without byte fallback
}

// merged is what a pair becomes.
type merged struct{ rank, id int }

func newBPE(k modelKeys, vocab map[string]int, unk int) (*bpe, error) {
	m := &bpe{vocab: vocab, merges: make(map[[2]int]merged, len(k.Merges)), unk: unk, fuse: k.FuseUnk, whole: k.IgnoreMerges,
		prefix: or(k.ContinuingSubwordPrefix, ""), suffix: or(k.EndOfWordSuffix, "")}
	if k.Dropout != nil && *k.Dropout > 0 {
		return nil, fmt.Errorf("dropout %g would tokenize a text differently each time; set it to null", *k.Dropout)
	}
	if k.ByteFallback {
		t := byteTokens(func(s string) (int, bool) { id, ok := vocab[s]; return id, ok })
		m.bytes = &t
	}
	for rank, raw := range k.Merges {
		a, b, err := mergePair(raw)
		if err != nil {
			return nil, fmt.Errorf("merge %d: %w", rank, err)
		}
		left, okA := vocab[a]
		right, okB := vocab[b]
		joined, okC := vocab[a+strings.TrimPrefix(b, m.prefix)]
		if !okA || !okB || !okC {
			return nil, fmt.Errorf("merge %d: %q and %q, or what they make, are not in the vocabulary", rank, a, b)
		}
		m.merges[[2]int{left, right}] = merged{rank, joined}
	}
	return m, nil
}

// mergePair reads "a b" or ["a", "b"].
func mergePair(raw json.RawMessage) (a, b string, err error) {
	if len(raw) > 0 && raw[0] == '[' {
		var pair []string
		if err := json.Unmarshal(raw, &pair); err != nil {
			return "", "", err
		}
		if len(pair) != 2 {
			return "", "", fmt.Errorf("%d texts, want 2", len(pair))
		}
		return pair[0], pair[1], nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", "", err
	}
	a, b, ok := strings.Cut(text, " ")
	if !ok {
		return "", "", fmt.Errorf("%q is not two tokens with a space between", text)
	}
	return a, b, nil
}

func (m *bpe) ids(word string) []int {
	if m.whole {
		if id, ok := m.vocab[word]; ok {
			return []int{id}
		}
	}
	return m.join(m.symbols(word))
}

// symbols gives each character its id.
func (m *bpe) symbols(word string) []int {
	var out []int
	fresh := false // the last one is an unknown that may grow
	for at, r := range word {
		n := utf8.RuneLen(r)
		text := word[at : at+n]
		if at > 0 {
			text = m.prefix + text
		}
		if at+n == len(word) {
			text += m.suffix
		}
		if id, ok := m.vocab[text]; ok {
			out, fresh = append(out, id), false
			continue
		}
		if m.bytes != nil {
			if ids, ok := fallback(m.bytes, text); ok {
				out, fresh = append(out, ids...), false
				continue
			}
		}
		if m.unk >= 0 && (!m.fuse || !fresh) {
			out, fresh = append(out, m.unk), true
		}
	}
	return out
}

// node is a symbol in a list from which joined ones are taken out.
type node struct{ id, before, after int }

// candidate is a pair that may be joined: the symbol at a place and the one after.
type candidate struct{ at, rank, id int }

type candidates []candidate

func (c candidates) Len() int { return len(c) }
func (c candidates) Less(i, j int) bool {
	return c[i].rank < c[j].rank || c[i].rank == c[j].rank && c[i].at < c[j].at
}
func (c candidates) Swap(i, j int) { c[i], c[j] = c[j], c[i] }
func (c *candidates) Push(x any)   { *c = append(*c, x.(candidate)) }
func (c *candidates) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}

func (m *bpe) join(ids []int) []int {
	list := make([]node, len(ids))
	var queue candidates
	put := func(at int) {
		if at < 0 || list[at].after < 0 {
			return
		}
		if j, ok := m.merges[[2]int{list[at].id, list[list[at].after].id}]; ok {
			heap.Push(&queue, candidate{at, j.rank, j.id})
		}
	}
	for i, id := range ids {
		list[i] = node{id, i - 1, i + 1}
	}
	if len(list) > 0 {
		list[len(list)-1].after = -1
	}
	for i := range list {
		put(i)
	}
	for queue.Len() > 0 {
		c := heap.Pop(&queue).(candidate)
		left := &list[c.at]
		if left.id < 0 || left.after < 0 {
			continue // joined to another since
		}
		right := &list[left.after]
		if j, ok := m.merges[[2]int{left.id, right.id}]; !ok || j.id != c.id {
			continue
		}
		left.id, left.after = c.id, right.after
		right.id = -1
		if left.after >= 0 {
			list[left.after].before = c.at
		}
		put(left.before)
		put(c.at)
	}
	out := ids[:0]
	for _, n := range list {
		if n.id >= 0 {
			out = append(out, n.id)
		}
	}
	return out
}
