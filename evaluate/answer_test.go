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
	g := &Writing{Stop: []string{"\n", "Question:"}}
	if text, cut := g.cut("7 Question: 8\n"); text != "7 " || !cut {
		t.Errorf("cut to %q, %t", text, cut)
	}
	if text, cut := g.cut("7"); text != "7" || cut {
		t.Errorf("cut to %q, %t", text, cut)
	}
}
