package encode

import "strings"

// letters are the characters that stand for bytes in byte-level vocabularies:
// printable bytes for themselves, the others from U+0100 on in order.
var (
	letters [256]rune
	byByte  = map[rune]byte{}
)

func init() {
	next := rune(256)
	for b := range 256 {
		r := rune(b)
		if b < '!' || b > '~' && b < 0xA1 || b == 0xAD {
			r = next
			next++
		}
		letters[b], byByte[r] = r, byte(b)
	}
}

// toLetters writes each byte of a text as its letter.
func toLetters(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(letters[s[i]])
	}
	return b.String()
}

// fromLetters returns the bytes of letters, or false where a character stands for
// none.
func fromLetters(s string) ([]byte, bool) {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		b, ok := byByte[r]
		if !ok {
			return nil, false
		}
		out = append(out, b)
	}
	return out, true
}
