package encode

import (
	"encoding/binary"
	"errors"
	"strings"

	"github.com/rivo/uniseg"
)

// charsmap rewrites graphemes by SentencePiece's compiled rules: a double array of
// states, and the texts that its values are offsets of.
type charsmap struct {
	states []uint32
	texts  string
}

func newCharsmap(data []byte) (*charsmap, error) {
	bad := errors.New("precompiled_charsmap is cut off; download the file again")
	if len(data) < 4 {
		return nil, bad
	}
	n := int(binary.LittleEndian.Uint32(data))
	if n < 0 || n%4 != 0 || n > len(data)-4 {
		return nil, bad
	}
	m := &charsmap{texts: string(data[4+n:])}
	for at := 4; at < 4+n; at += 4 {
		m.states = append(m.states, binary.LittleEndian.Uint32(data[at:]))
	}
	return m, nil
}

// apply rewrites a text. Graphemes of up to five bytes are looked up as a whole,
// else their characters one by one.
func (m *charsmap) apply(s string) string {
	var b strings.Builder
	for g, rest, state := "", s, -1; rest != ""; {
		g, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if len(g) < 6 {
			if to, ok := m.lookup(g); ok {
				b.WriteString(to)
				continue
			}
		}
		for _, r := range g {
			if to, ok := m.lookup(string(r)); ok {
				b.WriteString(to)
				continue
			}
			b.WriteRune(r)
		}
	}
	return b.String()
}

// lookup returns what the shortest prefix of s in the rules becomes, as the
// reference takes the first of the prefixes it finds.
func (m *charsmap) lookup(s string) (string, bool) {
	at := uint32(0)
	unit := func(i uint32) (uint32, bool) {
		if int(i) >= len(m.states) {
			return 0, false
		}
		return m.states[i], true
	}
	u, ok := unit(0)
	if !ok {
		return "", false
	}
	at ^= offset(u)
	for i := range len(s) {
		c := s[i]
		if c == 0 {
			return "", false
		}
		at ^= uint32(c)
		if u, ok = unit(at); !ok || u&(1<<31|0xFF) != uint32(c) {
			return "", false
		}
		at ^= offset(u)
		if u>>8&1 == 1 {
			v, ok := unit(at)
			from := int(v & (1<<31 - 1))
			if !ok || from > len(m.texts) {
				return "", false
			}
			text, _, _ := strings.Cut(m.texts[from:], "\x00")
			return text, true
		}
	}
	return "", false
}

// offset is where a state's successors lie.
func offset(u uint32) uint32 { return u >> 10 << (u & (1 << 9) >> 6) }
