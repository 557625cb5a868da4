package evaluate

import (
	"regexp"
	"testing"
)

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		extract, text, want string
		right               bool
	}{
		{"", " 12 apples ", "12 apples", true},
		{"", "12 apples", "12 pears", false},
		{`(-?[\d,.]+)`, "It is $1,000.00, he said", "1000", true},
		{`(-?[\d,.]+)`, "It is 1,000. Then 7", "1,000", true},
		{`-?[\d,.]+`, "about 50 %", "50%", true},
		{`####\s*(\S+)`, "so\n#### 7", "7", true},
		{`####\s*(\S+)`, "7", "7", false},
		{`(-?\d+)`, "-3 degrees", "3", false},
		{`(-?\d+)`, "none", "0", false},
	} {
		g := &Writing{}
		if c.extract != "" {
			g.Extract = regexp.MustCompile(c.extract)
		}
		if got := g.answer(c.text); same(got, c.want) != c.right {
			t.Errorf("%q of %q is %q against %q: want %t", c.extract, c.text, got, c.want, c.right)
		}
	}
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"1,000", "1000", true}, {"1.0", "1", true}, {"1.", "1", true}, {".5", "0.50", true}, {"007", "7", true},
		{"$1,234,567.50", "1234567.5", true}, {"-$5", "$-5", true}, {"\u22125", "-5", true}, {"+5", "5", true}, {"€ 3", "3 €", true},
		{"50%", "50", true}, {"50 %", "50%", true}, {"50%", "0.5", false}, {"1 000 000", "1000000", true}, {"1\u202f000", "1000", true},
		{"1'000", "1000", true}, {"12,34,567", "1234567", true}, {"1e3", "1000", true}, {"1E-2", "0.01", true}, {"-0", "0", true},
		{"1,5", "15", false}, {"1,2,3", "123", false}, {"1,0000", "10000", false}, {"10,00", "1000", false}, {"1 2", "12", false}, {"1,000 000", "1000000", false},
		{"9007199254740993", "9007199254740992", false}, {"inf", "infinity", false}, {"nan", "NaN", false}, {"0x10", "16", false}, {"1_0", "10", false},
		{"--5", "5", false}, {"5 apples", "5", false}, {"", "0", false}, {"$", "0", false}, {"1/2", "0.5", false}, {"1e9999999", "1e9999999.0", false}, {"7!", "7", true},
	} {
		if got := same(c.a, c.b); got != c.same || same(c.b, c.a) != got {
			t.Errorf("%q and %q: the same is %t, want %t", c.a, c.b, got, c.same)
		}
	}
	g := &Writing{Stop: []string{"\n", "Question:"}}
	if text, cut := g.cut("7 Question: 8\n"); text != "7 " || !cut {
		t.Errorf("cut to %q, %t", text, cut)
	}
	if text, cut := g.cut("7"); text != "7" || cut {
		t.Errorf("cut to %q, %t", text, cut)
	}
}
