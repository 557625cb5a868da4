package modeldir_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mergevo/mergevo/modeldir"
)

func TestParseStatement(t *testing.T) {
	type s = modeldir.Statement
	for _, test := range []struct {
		name, card string
		want       s
	}{
		{"usual", "---\nlanguage:\n- en\nlicense: apache-2.0\nbase_model:\n- org/a\n- org/b # the other\ntags: [chat]\n---\n# Title\nlicense: gpl\n",
			s{License: "apache-2.0", BaseModels: []string{"org/a", "org/b"}, Tags: []string{"chat"}}},
		{"one base", "---\nbase_model: org/a\nlicense: MIT   # free\n---\n", s{License: "mit", BaseModels: []string{"org/a"}}},
		{"quotes", "---\nlicense: 'other'\nlicense_name: \"llama3.1\" # x\nlicense_link: \"https://x.org/#l\"\n---", s{License: "other", LicenseName: "llama3.1", LicenseLink: "https://x.org/#l"}},
		{"windows", "\uFEFF---\r\nlicense: mit\r\ntags:\r\n  - a\r\n  - 'b'\r\n---\r\n", s{License: "mit", Tags: []string{"a", "b"}}},
		{"list over lines", "---\ntags: [a,\n  b,\n  c]\nlicense: mit\n---\n", s{License: "mit", Tags: []string{"a", "b", "c"}}},
		{"licence in a list", "---\nlicense: [mit]\n---\n", s{License: "mit"}},
		{"two licences", "---\nlicense: [mit, gpl]\n---\n", s{}},
		{"null", "---\nlicense: null\nbase_model: ~\ntags:\n---\n", s{}},
		{"nested", "---\nmodel-index:\n  - name: x\n    license: gpl\nwidget:\n  license: gpl\n---\n", s{}},
		{"block", "---\ndescription: |\n  license: gpl\nlicense: >\n  mit\n---\n", s{}},
		{"no end", "---\nlicense: mit\n", s{}},
		{"no front", "# Title\n\nlicense: mit\n", s{}},
		{"only a rule", "---", s{}},
		{"empty", "", s{}},
		{"list that does not end", "---\ntags: [a\nlicense: mit\n---\n", s{License: "mit"}},
		{"many lists that do not end", "---\n" + strings.Repeat("a: [\n", 150_000) + "license: mit\n---\n", s{License: "mit"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := modeldir.ParseStatement([]byte(test.card))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(got.License, open(t, "README.md", test.card).Statement().License); diff != "" {
				t.Errorf("from a folder: %s", diff)
			}
		})
	}
	long := "---\nlicense: mit\nx: " + strings.Repeat("x", 2<<20) + "\n---\n"
	if got := open(t, "README.md", long).Statement(); got.License != "" {
		t.Errorf("a front matter of 2 MB states %+v", got)
	}
}
