package encode

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/dlclark/regexp2"
)

// compile makes a finder of a regular expression as a tokenizer.json has it: Oniguruma's,
// in Ruby's syntax. What is between matches, empty ones too, is for the caller.
func compile(text string) (func(string) [][2]int, error) {
	text, err := fromRuby(text)
	if err != nil {
		return nil, err
	}
	// In Ruby ^ and $ are a line's.
	re, err := regexp2.Compile(text, regexp2.Multiline)
	if err != nil {
		return nil, err
	}
	return func(s string) (at [][2]int) {
		// Matches count characters; strings count bytes.
		var offset []int
		for i := range s {
			offset = append(offset, i)
		}
		offset = append(offset, len(s))
		m, err := re.FindStringMatch(s)
		for ; m != nil && err == nil; m, err = re.FindNextMatch(m) {
			if m.Length > 0 {
				at = append(at, [2]int{offset[m.Index], offset[m.Index+m.Length]})
			}
		}
		return at
	}, nil
}

// flags begin a group, or change what follows: (?i), (?i:, (?mx-i:
var flags = regexp.MustCompile(`^\(\?[imx]*(-[imx]+)?[:)]`)

// fromRuby rewrites what Ruby's syntax has and .NET's has not, or means otherwise: possessive
// quantifiers, hexadecimal digits, the flag m, and intersections of classes.
func fromRuby(re string) (string, error) {
	var out strings.Builder
	var open []int // where groups began in out
	atom := 0      // and where what a quantifier repeats did
	for i := 0; i < len(re); {
		rest := re[i:]
		switch c := rest[0]; {
		case c == '\\' && len(rest) > 1:
			atom = out.Len()
			n := 2
			if to, ok := hexDigits[rest[:2]]; ok {
				out.WriteString("[" + to + "]")
			} else {
				if end := strings.IndexByte(rest, '}'); strings.ContainsRune("pPux", rune(rest[1])) && strings.HasPrefix(rest[2:], "{") && end > 0 {
					n = end + 1
				}
				out.WriteString(rest[:n])
			}
			i += n
		case c == '[':
			atom = out.Len()
			class, n, err := rubyClass(rest)
			if err != nil {
				return "", err
			}
			out.WriteString(class)
			i += n
		case c == '(':
			open = append(open, out.Len())
			n := 1
			if f := flags.FindString(rest); f != "" {
				n = len(f)
				out.WriteString(strings.ReplaceAll(f, "m", "s"))
				if strings.HasSuffix(f, ")") {
					open = open[:len(open)-1]
				}
			} else {
				out.WriteByte('(')
			}
			i += n
		case c == ')' && len(open) > 0:
			atom, open = open[len(open)-1], open[:len(open)-1]
			out.WriteByte(c)
			i++
		case (c == '?' || c == '*' || c == '+') && strings.HasPrefix(rest[1:], "+") && out.Len() > atom:
			all := out.String()
			out.Reset()
			out.WriteString(all[:atom] + "(?>" + all[atom:] + string(c) + ")")
			i += 2
		case c == '?' || c == '*' || c == '+':
			out.WriteByte(c)
			i++
			if strings.HasPrefix(re[i:], "?") { // lazy
				out.WriteByte('?')
				i++
			}
		default:
			if c != '{' {
				atom = out.Len()
			}
			n := 1
			for n < len(rest) && rest[n]&0xC0 == 0x80 {
				n++
			}
			if end := strings.IndexByte(rest, '}'); c == '{' && end > 0 {
				n = end + 1
			}
			out.WriteString(rest[:n])
			i += n
		}
	}
	return out.String(), nil
}

// hexDigits are classes that .NET has no letter for, without the brackets.
var hexDigits = map[string]string{`\h`: "0-9a-fA-F", `\H`: "^0-9a-fA-F"}

// rubyClass reads the class that re begins with, and returns it for .NET, with its length:
// what is in two classes, [a&&b], is what is in the first without what is not in the second.
func rubyClass(re string) (class string, n int, err error) {
	var out strings.Builder
	out.WriteByte('[')
	i := 1
	if strings.HasPrefix(re[i:], "^") {
		out.WriteByte('^')
		i++
	}
	for first := true; i < len(re); first = false {
		rest := re[i:]
		switch {
		case rest[0] == ']' && !first:
			out.WriteByte(']')
			return out.String(), i + 1, nil
		case rest[0] == '\\' && len(rest) > 1:
			if to, ok := hexDigits[rest[:2]]; ok {
				if to[0] == '^' {
					return "", 0, fmt.Errorf(`\H in the class %s is not supported`, re)
				}
				out.WriteString(to)
			} else {
				out.WriteString(rest[:2])
			}
			i += 2
		case strings.HasPrefix(rest, "[:") && strings.Contains(rest, ":]"):
			end := strings.Index(rest, ":]") + 2
			out.WriteString(rest[:end])
			i += end
		case strings.HasPrefix(rest, "&&"):
			not, length, err := complement(rest[2:])
			if err != nil || out.String() == "[" || strings.HasPrefix(out.String(), "[^") {
				return "", 0, fmt.Errorf("the class %s is not supported: write [a&&b] with two plain classes", re)
			}
			return out.String() + "-" + not + "]", i + 2 + length, nil
		case rest[0] == '[':
			return "", 0, fmt.Errorf("a class in the class %s is not supported: write one with all of both", re)
		default:
			out.WriteByte(rest[0])
			i++
		}
	}
	return "", 0, fmt.Errorf("the class %s does not end", re)
}

// complement is the class of what an intersection's second half leaves out: of "[^a]]" it is
// [a], of "a]" [^a]. The length covers the bracket that ends the whole.
func complement(re string) (not string, n int, err error) {
	bare := !strings.HasPrefix(re, "[")
	if bare {
		re = "[" + re
	}
	class, n, err := rubyClass(re)
	switch {
	case err != nil:
		return "", 0, err
	case strings.Contains(class, "-["):
		return "", 0, errors.New("more than one &&")
	case bare:
		n--
	case !strings.HasPrefix(re[n:], "]"):
		return "", 0, errors.New("more behind &&")
	default:
		n++
	}
	if rest, ok := strings.CutPrefix(class, "[^"); ok {
		return "[" + rest, n, nil
	}
	return "[^" + class[1:], n, nil
}
