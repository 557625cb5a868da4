package encode

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// decoder is a stage on the way back from tokens to a text.
type decoder func(tokens []string) []string

func decodeAll(stages []decoder, tokens []string) string {
	if stages == nil {
		return strings.Join(tokens, " ")
	}
	for _, d := range stages {
		tokens = d(tokens)
	}
	return strings.Join(tokens, "")
}

// decoderKeys are the keys of all decoders.
type decoderKeys struct {
	Decoders       []json.RawMessage `json:"decoders"`
	Prefix         *string           `json:"prefix"`
	Cleanup        bool              `json:"cleanup"`
	Suffix         *string           `json:"suffix"`
	Pattern        expression        `json:"pattern"`
	Content        string            `json:"content"`
	Start          int               `json:"start"`
	Stop           int               `json:"stop"`
	Replacement    string            `json:"replacement"`
	PrependScheme  string            `json:"prepend_scheme"`
	AddPrefixSpace *bool             `json:"add_prefix_space"`
}

func parseDecoder(raw json.RawMessage) ([]decoder, error) {
	kind, err := kindOf(raw)
	if kind == "" || err != nil {
		return nil, err
	}
	var k decoderKeys
	if err := json.Unmarshal(raw, &k); err != nil {
		return nil, err
	}
	each := func(f func(i int, token string) string) []decoder {
		return []decoder{func(tokens []string) []string {
			out := make([]string, len(tokens))
			for i, t := range tokens {
				out[i] = f(i, t)
			}
			return out
		}}
	}
	switch kind {
	case "Sequence":
		all := []decoder{}
		for _, one := range k.Decoders {
			d, err := parseDecoder(one)
			if err != nil {
				return nil, err
			}
			all = append(all, d...)
		}
		return all, nil
	case "ByteLevel":
		return []decoder{fromByteLevel}, nil
	case "WordPiece":
		prefix := or(k.Prefix, "##")
		return each(func(i int, t string) string {
			if i > 0 {
				if rest, ok := strings.CutPrefix(t, prefix); ok {
					t = rest
				} else {
					t = " " + t
				}
			}
			if k.Cleanup {
				t = cleanup.Replace(t)
			}
			return t
		}), nil
	case "BPEDecoder":
		suffix := or(k.Suffix, "</w>")
		return []decoder{func(tokens []string) []string {
			out := make([]string, len(tokens))
			for i, t := range tokens {
				space := " "
				if i == len(tokens)-1 {
					space = ""
				}
				out[i] = strings.ReplaceAll(t, suffix, space)
			}
			return out
		}}, nil
	case "Metaspace":
		mark := k.Replacement
		if mark == "" {
			mark = "▁"
		}
		bare := k.PrependScheme != "never" && (k.AddPrefixSpace == nil || *k.AddPrefixSpace)
		return each(func(i int, t string) string {
			space := " "
			if i == 0 && bare {
				space = ""
			}
			return strings.ReplaceAll(t, mark, space)
		}), nil
	case "ByteFallback":
		return []decoder{fromBytes}, nil
	case "Fuse":
		return []decoder{func(tokens []string) []string { return []string{strings.Join(tokens, "")} }}, nil
	case "Strip":
		return each(func(_ int, t string) string {
			for range k.Start {
				t = strings.TrimPrefix(t, k.Content)
			}
			for range k.Stop {
				t = strings.TrimSuffix(t, k.Content)
			}
			return t
		}), nil
	case "Replace":
		return each(func(_ int, t string) string { return k.Pattern.replace(t, k.Content) }), nil
	}
	return nil, unknown(kind)
}

// cleanup takes out the spaces that WordPiece puts before punctuation.
var cleanup = strings.NewReplacer(" .", ".", " ?", "?", " !", "!", " ,", ",", " ' ", "'", " n't", "n't", " 'm", "'m",
	" do not", " don't", " 's", "'s", " 've", "'ve", " 're", "'re")

// fromByteLevel turns letters into the bytes they stand for; bytes that are no
// UTF-8 become U+FFFD.
func fromByteLevel(tokens []string) []string {
	var all []byte
	for _, t := range tokens {
		if b, ok := fromLetters(t); ok {
			all = append(all, b...)
			continue
		}
		all = append(all, t...)
	}
	return []string{lossy(all)}
}

// fromBytes joins runs of <0xXX> into the characters they make.
func fromBytes(tokens []string) []string {
	var out []string
	var run []byte
	end := func() {
		if len(run) == 0 {
			return
		}
		if utf8.Valid(run) {
			out = append(out, string(run))
		} else {
			for range run {
				out = append(out, "\uFFFD")
			}
		}
		run = run[:0]
	}
	for _, t := range tokens {
		if len(t) == 6 && strings.HasPrefix(t, "<0x") && t[5] == '>' {
			if b, err := strconv.ParseUint(t[3:5], 16, 8); err == nil {
				run = append(run, byte(b))
				continue
			}
		}
		end()
		out = append(out, t)
	}
	end()
	return out
}

// lossy replaces each maximal part of a broken character by one U+FFFD, as Unicode
// recommends and Rust does.
func lossy(b []byte) string {
	var out strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			n = broken(b)
		}
		out.WriteRune(r)
		b = b[n:]
	}
	return out.String()
}

// broken is the length of the part of a character that b begins with.
func broken(b []byte) int {
	var want int
	lo, hi := byte(0x80), byte(0xBF)
	switch c := b[0]; {
	case c >= 0xC2 && c <= 0xDF:
		want = 2
	case c >= 0xE0 && c <= 0xEF:
		want = 3
		if c == 0xE0 {
			lo = 0xA0
		} else if c == 0xED {
			hi = 0x9F
		}
	case c >= 0xF0 && c <= 0xF4:
		want = 4
		if c == 0xF0 {
			lo = 0x90
		} else if c == 0xF4 {
			hi = 0x8F
		}
	}
	n := 1
	for n < want && n < len(b) && b[n] >= lo && b[n] <= hi {
		n++
		lo, hi = 0x80, 0xBF
	}
	return n
}
