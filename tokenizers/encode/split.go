package encode

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// splitter cuts a normalized text into the pieces that the model sees.
type splitter []func(piece) []piece

func (s splitter) split(p piece) []string {
	parts := []piece{p}
	for _, f := range s {
		var next []piece
		for _, p := range parts {
			next = append(next, f(p)...)
		}
		parts = next
	}
	var out []string
	for _, p := range parts {
		if p.text != "" {
			out = append(out, p.text)
		}
	}
	return out
}

// splitterKeys are the keys of all pre-tokenizers.
type splitterKeys struct {
	Pretokenizers    []json.RawMessage `json:"pretokenizers"`
	AddPrefixSpace   *bool             `json:"add_prefix_space"`
	UseRegex         *bool             `json:"use_regex"`
	IndividualDigits bool              `json:"individual_digits"`
	Pattern          expression        `json:"pattern"`
	Behavior         string            `json:"behavior"`
	Invert           bool              `json:"invert"`
	Delimiter        string            `json:"delimiter"`
	Replacement      string            `json:"replacement"`
	PrependScheme    string            `json:"prepend_scheme"`
	Split            *bool             `json:"split"`
}

// gptWords is GPT-2's regular expression.
const gptWords = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

func parseSplitter(raw json.RawMessage) (splitter, error) {
	kind, err := kindOf(raw)
	if kind == "" || err != nil {
		return nil, err
	}
	var k splitterKeys
	if err := json.Unmarshal(raw, &k); err != nil {
		return nil, err
	}
	by := func(find func(string) [][2]int, behavior string, invert bool) func(piece) []piece {
		return func(p piece) []piece { return cut(p, find(p.text), behavior, invert) }
	}
	switch kind {
	case "Sequence":
		var all splitter
		for _, raw := range k.Pretokenizers {
			s, err := parseSplitter(raw)
			if err != nil {
				return nil, err
			}
			all = append(all, s...)
		}
		return all, nil
	case "BertPreTokenizer":
		return splitter{by(characters(unicode.IsSpace), "Removed", false), by(characters(isPunctuation), "Isolated", false)}, nil
	case "WhitespaceSplit":
		return splitter{by(characters(unicode.IsSpace), "Removed", false)}, nil
	case "Whitespace":
		return splitter{by(words, "Removed", true)}, nil
	case "Punctuation":
		if k.Behavior == "" {
			k.Behavior = "Isolated"
		}
		return splitter{by(characters(isPunctuation), k.Behavior, false)}, known(k.Behavior)
	case "Digits":
		behavior := "Contiguous"
		if k.IndividualDigits {
			behavior = "Isolated"
		}
		return splitter{by(characters(unicode.IsNumber), behavior, false)}, nil
	case "CharDelimiterSplit":
		return splitter{by(characters(func(r rune) bool { return string(r) == k.Delimiter }), "Removed", false)}, nil
	case "Split":
		if k.Pattern.find == nil {
			return nil, errors.New("type Split has no pattern")
		}
		return splitter{by(k.Pattern.find, k.Behavior, k.Invert)}, known(k.Behavior)
	case "ByteLevel":
		return byteLevel(k)
	case "Metaspace":
		return metaspace(k), nil
	}
	return nil, unknown(kind)
}

// byteLevel splits as GPT-2 does and writes bytes as letters.
func byteLevel(k splitterKeys) (splitter, error) {
	find, err := compile(gptWords)
	if err != nil {
		return nil, err
	}
	return splitter{func(p piece) []piece {
		if k.AddPrefixSpace == nil || *k.AddPrefixSpace {
			if !strings.HasPrefix(p.text, " ") {
				p.text = " " + p.text
			}
		}
		parts := []piece{p}
		if k.UseRegex == nil || *k.UseRegex {
			parts = cut(p, find(p.text), "Isolated", false)
		}
		for i := range parts {
			parts[i].text = toLetters(parts[i].text)
		}
		return parts
	}}, nil
}

// metaspace writes spaces as the mark that begins a word, and splits there.
func metaspace(k splitterKeys) splitter {
	mark := k.Replacement
	if mark == "" {
		mark = "▁"
	}
	scheme := k.PrependScheme
	if scheme == "" {
		scheme = "always"
		if k.AddPrefixSpace != nil && !*k.AddPrefixSpace {
			scheme = "never"
		}
	}
	atMark := characters(func(r rune) bool { return string(r) == mark })
	return splitter{func(p piece) []piece {
		p.text = strings.ReplaceAll(p.text, " ", mark)
		if scheme == "always" || scheme == "first" && p.first {
			if !strings.HasPrefix(p.text, mark) {
				p.text = mark + p.text
			}
		}
		if k.Split != nil && !*k.Split {
			return []piece{p}
		}
		return cut(p, atMark(p.text), "MergedWithNext", false)
	}}
}

// characters finds the characters that a rule holds for, one by one.
func characters(is func(rune) bool) func(string) [][2]int {
	return func(s string) (at [][2]int) {
		for i, r := range s {
			if is(r) {
				at = append(at, [2]int{i, i + utf8.RuneLen(r)})
			}
		}
		return at
	}
}

// words finds runs of word characters, and runs of what is neither word nor space.
func words(s string) (at [][2]int) {
	class := func(r rune) int {
		switch {
		case isWord(r):
			return 1
		case !unicode.IsSpace(r):
			return 2
		}
		return 0
	}
	last := 0
	for i, r := range s {
		c := class(r)
		switch n := i + utf8.RuneLen(r); {
		case c == 0:
		case c == last:
			at[len(at)-1][1] = n
		default:
			at = append(at, [2]int{i, n})
		}
		last = c
	}
	return at
}

func known(behavior string) error {
	switch behavior {
	case "Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous":
		return nil
	}
	return fmt.Errorf("behavior %q is not known", behavior)
}

// cut splits a piece at matches, byte ranges in order: what happens to them is the
// behavior's. With invert the matches are what is between.
func cut(p piece, matches [][2]int, behavior string, invert bool) []piece {
	type part struct {
		from, to int
		match    bool
	}
	var parts []part
	put := func(from, to int, match bool) {
		if from == to {
			return
		}
		match = match != invert
		last := len(parts) - 1
		switch {
		case last < 0:
		case behavior == "Contiguous" && parts[last].match == match,
			behavior == "MergedWithPrevious" && match && !parts[last].match:
			// A delimiter behind another stands alone.
			parts[last].to, parts[last].match = to, match
			return
		case behavior == "MergedWithNext" && !match && parts[last].match:
			parts[last].to, parts[last].match = to, false
			return
		}
		parts = append(parts, part{from, to, match})
	}
	done := 0
	for _, m := range matches {
		put(done, m[0], false)
		put(m[0], m[1], true)
		done = m[1]
	}
	put(done, len(p.text), false)
	var out []piece
	for _, q := range parts {
		if behavior == "Removed" && q.match {
			continue
		}
		out = append(out, piece{p.text[q.from:q.to], p.first && q.from == 0})
	}
	return out
}
