package encode

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// unigram takes the split with the largest sum of log-probabilities (Kudo 2018).
type unigram struct {
	scores  []float64
	place   map[string]int
	longest int // bytes of a token
	unk     int // -1 without one
	unkCost float64
	bytes   *[256]int
}

// unkPenalty is how much less likely an unknown character is than the least likely
// token.
const unkPenalty = 10

func newUnigram(k modelKeys) (*unigram, error) {
	var pieces [][2]any
	if err := json.Unmarshal(k.Vocab, &pieces); err != nil {
		return nil, fmt.Errorf("vocab: %w", err)
	}
	m := &unigram{place: make(map[string]int, len(pieces)), unk: -1}
	least := math.Inf(1)
	for i, p := range pieces {
		text, ok := p[0].(string)
		score, ok2 := p[1].(float64)
		if !ok || !ok2 {
			return nil, fmt.Errorf("vocab: piece %d is not a token and its score", i)
		}
		m.scores, m.place[text] = append(m.scores, score), i
		m.longest, least = max(m.longest, len(text)), min(least, score)
	}
	m.unkCost = least - unkPenalty
	if k.UnkID != nil {
		if m.unk = *k.UnkID; m.unk < 0 || m.unk >= len(pieces) {
			return nil, errors.New("unk_id is not in the vocabulary")
		}
	}
	if k.ByteFallback {
		t := byteTokens(func(s string) (int, bool) { id, ok := m.place[s]; return id, ok })
		m.bytes = &t
	}
	return m, nil
}

func (m *unigram) ids(text string) []int {
	type end struct {
		from, id int // id -1 for an unknown character
		score    float64
		reached  bool
	}
	best := make([]end, len(text)+1)
	reach := func(from, to, id int, score float64) {
		if !best[to].reached || score > best[to].score {
			best[to] = end{from, id, score, true}
		}
	}
	for at, r := range text {
		single, n := false, utf8.RuneLen(r)
		for to := at + n; to <= min(len(text), at+m.longest); to++ {
			if to < len(text) && !utf8.RuneStart(text[to]) {
				continue
			}
			if id, ok := m.place[text[at:to]]; ok {
				reach(at, to, id, m.scores[id]+best[at].score)
				single = single || to == at+n
			}
		}
		if !single {
			reach(at, at+n, -1, m.unkCost+best[at].score)
		}
	}
	// From the end back; unknown characters beside each other are one token.
	var out []int
	for to := len(text); to > 0; to = best[to].from {
		e := best[to]
		if e.id >= 0 && e.id != m.unk {
			out = append(out, e.id)
			continue
		}
		from := e.from
		for from > 0 && (best[from].id < 0 || best[from].id == m.unk) {
			from = best[from].from
		}
		out = append(out, m.unknown(text[from:to])...)
		best[to].from = from
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// unknown are the ids of a text that no token covers, last first.
func (m *unigram) unknown(text string) []int {
	if id, ok := m.place[text]; ok {
		return []int{id}
	}
	if m.bytes != nil {
		if ids, ok := fallback(m.bytes, text); ok {
			for i, j := 0, len(ids)-1; i < j; i, j = i+1, j-1 {
				ids[i], ids[j] = ids[j], ids[i]
			}
			return ids
		}
	}
	if m.unk < 0 {
		return nil
	}
	return []int{m.unk}
}
