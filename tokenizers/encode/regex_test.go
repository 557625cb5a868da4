package encode

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

// Matches are those of tokenizers 0.23.3, which reads Ruby's syntax.
func TestRubySyntax(t *testing.T) {
	for _, c := range []struct {
		re, text string
		want     []string
	}{
		{`[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*`, " a1234 ?!\nb", []string{" a", "123", "4", " ?!\n", "b"}},
		{`[\p{Han}]+|[\p{L}&&[^\p{Han}]]+`, "ab中文cd", []string{"ab", "中文", "cd"}},
		{`[a-z&&b-y]+|[a-z&&[a]]`, "abza", []string{"a", "b", "a"}},
		{`^\w+|\w+$`, "a b\nc d", []string{"a", "b", "c", "d"}},
		{`a(?m:.)b|(?:cd)*+e|(c)++`, "a\nbcdecc", []string{"a\nb", "cde", "cc"}},
		{`\h+|[g\h]{2}`, "beg x", []string{"be"}},
		{`(?i)[k]++`, "xK", []string{"K"}},
	} {
		find, err := compile(c.re)
		if err != nil {
			t.Errorf("%s: %v", c.re, err)
			continue
		}
		var got []string
		for _, m := range find(c.text) {
			got = append(got, c.text[m[0]:m[1]])
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s of %q\ngot  %q\nwant %q", c.re, c.text, got, c.want)
		}
	}
	for re, want := range map[string]string{
		`[a[bc]]`: "a class in the class", `[^a&&b]`: "is not supported", `[a&&b&&c]`: "is not supported", `[a`: "does not end",
	} {
		if _, err := compile(re); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", re, err, want)
		}
	}
}

// Forms are Unicode's with any number of marks, and the reference's of characters that
// it does not know yet.
func TestForms(t *testing.T) {
	acutes := func(n int) string { return strings.Repeat("\u0301", n) }
	mixed := "e" + strings.Repeat("\u0301\u0316", 40)
	for _, c := range []struct {
		form       norm.Form
		text, want string
	}{
		{norm.NFC, "e" + acutes(50) + "x", "é" + acutes(49) + "x"},
		{norm.NFD, "é" + acutes(49), "e" + acutes(50)},
		{norm.NFKC, "ﬁe" + acutes(50), "fié" + acutes(49)},
		{norm.NFC, mixed, "é" + strings.Repeat("\u0316", 40) + acutes(39)},
		{norm.NFKD, mixed, "e" + strings.Repeat("\u0316", 40) + acutes(40)},
		{norm.NFC, "\u1100\u1161\u11a8" + acutes(31), "각" + acutes(31)},
		{norm.NFKC, "①\u32ff①", "1\u32ff1"},
	} {
		if got := form(c.form)(c.text); got != c.want {
			t.Errorf("%v of %+q\ngot  %+q\nwant %+q", c.form, c.text, got, c.want)
		}
	}
}
