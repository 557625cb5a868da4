package evaluate

import (
	"math/big"
	"regexp"
	"strings"
)

// same reports whether an answer is the right one: the same text, or the same number
// however it is written: 1,000 and $1000.00.
func same(got, want string) bool {
	if got == want {
		return true
	}
	a, b := number(got), number(want)
	return a != nil && b != nil && a.Cmp(b) == 0
}

// A number with what people put around it. Thousands are grouped by one kind of mark, or
// by none: 1,5 and 1,2,3 are no numbers, for who writes them may mean others.
var (
	around  = regexp.MustCompile(`^([-+]?)\s*[$€£¥₹]?\s*([-+]?)\s*([\d.][^€$£¥₹%]*?)\s*[€$£¥₹%]?\s*[.,;:!]?$`)
	grouped = regexp.MustCompile(`^(\d{1,3}(,\d{3})+|\d{1,3}( \d{3})+|\d{1,3}('\d{3})+|\d{1,3}(_\d{3})+|\d{1,2}(,\d{2})*,\d{3})(\.\d*)?$`)
	bare    = regexp.MustCompile(`^(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,3})?$`)
)

// number reads a number exactly, nil where a text is none. The unit is not read: 50 % is
// 50, as is $50.
func number(s string) *big.Rat {
	const longest = 200
	if len(s) > longest {
		return nil
	}
	s = strings.TrimSpace(strings.NewReplacer("\u2212", "-", "\u00a0", " ", "\u202f", " ", "\u2009", " ").Replace(s))
	m := around.FindStringSubmatch(s)
	if m == nil || m[1] != "" && m[2] != "" {
		return nil
	}
	digits := m[3]
	if grouped.MatchString(digits) {
		digits = strings.NewReplacer(",", "", " ", "", "'", "", "_", "").Replace(digits)
	}
	if !bare.MatchString(digits) {
		return nil
	}
	x, ok := new(big.Rat).SetString(strings.TrimSuffix(digits, "."))
	if !ok {
		return nil
	}
	if m[1]+m[2] == "-" {
		x.Neg(x)
	}
	return x
}
