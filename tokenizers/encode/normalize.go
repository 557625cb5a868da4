package encode

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// normalizer rewrites a text before it is split.
type normalizer []func(string) string

func (n normalizer) apply(s string) string {
	for _, f := range n {
		s = f(s)
	}
	return s
}

// keepsFirst reports whether a text's first character is not dropped: where it is, what
// remains is not the beginning of the text any more.
func (n normalizer) keepsFirst(s string) bool {
	_, size := utf8.DecodeRuneInString(s)
	return size == 0 || n.apply(s[:size]) != ""
}

// normalizerKeys are the keys of all normalizers.
type normalizerKeys struct {
	Normalizers        []json.RawMessage `json:"normalizers"`
	CleanText          bool              `json:"clean_text"`
	HandleChineseChars bool              `json:"handle_chinese_chars"`
	StripAccents       *bool             `json:"strip_accents"`
	Lowercase          bool              `json:"lowercase"`
	StripLeft          bool              `json:"strip_left"`
	StripRight         bool              `json:"strip_right"`
	Pattern            expression        `json:"pattern"`
	Content            string            `json:"content"`
	Prepend            string            `json:"prepend"`
	Charsmap           []byte            `json:"precompiled_charsmap"` // base64 in the file
}

func parseNormalizer(raw json.RawMessage) (normalizer, error) {
	kind, err := kindOf(raw)
	if kind == "" || err != nil {
		return nil, err
	}
	var k normalizerKeys
	if err := json.Unmarshal(raw, &k); err != nil {
		return nil, err
	}
	switch kind {
	case "Sequence":
		var all normalizer
		for _, one := range k.Normalizers {
			n, err := parseNormalizer(one)
			if err != nil {
				return nil, err
			}
			all = append(all, n...)
		}
		return all, nil
	case "BertNormalizer":
		return bertNormalizer(k), nil
	case "NFC":
		return normalizer{form(norm.NFC)}, nil
	case "NFD":
		return normalizer{form(norm.NFD)}, nil
	case "NFKC":
		return normalizer{form(norm.NFKC)}, nil
	case "NFKD":
		return normalizer{form(norm.NFKD)}, nil
	case "Lowercase":
		return normalizer{lower}, nil
	case "StripAccents":
		return normalizer{func(s string) string { return without(s, isMark) }}, nil
	case "Strip":
		return normalizer{func(s string) string { return strip(s, k.StripLeft, k.StripRight) }}, nil
	case "Prepend":
		return normalizer{func(s string) string {
			if s == "" {
				return s
			}
			return k.Prepend + s
		}}, nil
	case "Replace":
		if k.Pattern.find == nil {
			return nil, errors.New("type Replace has no pattern")
		}
		return normalizer{func(s string) string { return k.Pattern.replace(s, k.Content) }}, nil
	case "ByteLevel":
		return normalizer{toLetters}, nil
	case "Nmt":
		return normalizer{nmt}, nil
	case "Precompiled":
		m, err := newCharsmap(k.Charsmap)
		if err != nil {
			return nil, err
		}
		return normalizer{m.apply}, nil
	}
	return nil, unknown(kind)
}

// lower maps each character to its lower case, without regard to its neighbours.
func lower(s string) string {
	return strings.Map(unicode.ToLower, strings.ReplaceAll(s, "İ", "i̇"))
}

// without drops the characters that a rule holds for.
func without(s string, is func(rune) bool) string {
	return strings.Map(func(r rune) rune {
		if is(r) {
			return -1
		}
		return r
	}, s)
}

func strip(s string, left, right bool) string {
	if left {
		s = strings.TrimLeftFunc(s, unicode.IsSpace)
	}
	if right {
		s = strings.TrimRightFunc(s, unicode.IsSpace)
	}
	return s
}

// bertNormalizer is BERT's: clean, space around Chinese characters, accents off,
// lower case.
func bertNormalizer(k normalizerKeys) normalizer {
	var n normalizer
	if k.CleanText {
		n = append(n, func(s string) string {
			return strings.Map(func(r rune) rune {
				switch {
				case r == '\t' || r == '\n' || r == '\r':
					return ' '
				case r == 0 || r == unicode.ReplacementChar || isControl(r):
					return -1
				case unicode.IsSpace(r):
					return ' '
				}
				return r
			}, s)
		})
	}
	if k.HandleChineseChars {
		n = append(n, func(s string) string {
			var b strings.Builder
			for _, r := range s {
				if unicode.Is(ideographs, r) {
					b.WriteRune(' ')
					b.WriteRune(r)
					b.WriteRune(' ')
					continue
				}
				b.WriteRune(r)
			}
			return b.String()
		})
	}
	if k.StripAccents != nil && *k.StripAccents || k.StripAccents == nil && k.Lowercase {
		n = append(n, func(s string) string { return without(form(norm.NFD)(s), isAccent) })
	}
	if k.Lowercase {
		n = append(n, lower)
	}
	return n
}

// ideographs are the blocks that BERT takes for Chinese.
var ideographs = &unicode.RangeTable{
	R16: []unicode.Range16{{Lo: 0x3400, Hi: 0x4DBF, Stride: 1}, {Lo: 0x4E00, Hi: 0x9FFF, Stride: 1}, {Lo: 0xF900, Hi: 0xFAFF, Stride: 1}},
	R32: []unicode.Range32{{Lo: 0x20000, Hi: 0x2A6DF, Stride: 1}, {Lo: 0x2A700, Hi: 0x2B73F, Stride: 1}, {Lo: 0x2B740, Hi: 0x2B81F, Stride: 1}, {Lo: 0x2B920, Hi: 0x2CEAF, Stride: 1}, {Lo: 0x2F800, Hi: 0x2FA1F, Stride: 1}},
}

// nmt drops controls and makes all kinds of space a space, as SentencePiece's nmt
// rules do.
func nmt(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 0x1 && r <= 0x8, r == 0xB, r >= 0xE && r <= 0x1F, r == 0x7F, r == 0x8F, r == 0x9F:
			return -1
		case r == 0x9, r == 0xA, r == 0xC, r == 0xD, r == 0x1680, r >= 0x200B && r <= 0x200F, r == 0x2028, r == 0x2029, r == 0x2581, r == 0xFEFF, r == 0xFFFD:
			return ' '
		}
		return r
	}, s)
}

// expression is a pattern of the file: a text, or a regular expression.
type expression struct {
	find func(s string) [][2]int // byte ranges of the matches, in order
}

// UnmarshalJSON reads {"String": …} or {"Regex": …}.
func (e *expression) UnmarshalJSON(data []byte) error {
	var p struct{ String, Regex *string }
	if err := json.Unmarshal(data, &p); err != nil {
		return err
	}
	switch {
	case p.String != nil && *p.String != "":
		e.find = func(s string) (at [][2]int) {
			for from := 0; ; {
				i := strings.Index(s[from:], *p.String)
				if i < 0 {
					return at
				}
				at = append(at, [2]int{from + i, from + i + len(*p.String)})
				from += i + len(*p.String)
			}
		}
	case p.Regex != nil:
		var err error
		e.find, err = compile(*p.Regex)
		return err
	default:
		return errors.New("a pattern is a String or a Regex")
	}
	return nil
}

func (e expression) replace(s, with string) string {
	var b strings.Builder
	done := 0
	for _, m := range e.find(s) {
		b.WriteString(s[done:m[0]])
		b.WriteString(with)
		done = m[1]
	}
	b.WriteString(s[done:])
	return b.String()
}
