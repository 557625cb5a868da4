package merge_test

import (
	"bytes"
	"flag"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/merge"
)

var update = flag.Bool("update", false, "write docs/methods.md")

// The page is what the rows say.
func TestMethodsPage(t *testing.T) {
	const page = "../docs/methods.md"
	want := merge.MethodsMarkdown()
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the rows say: go test ./merge -run MethodsPage -update", page)
	}
}

// Every row is complete and consistent, and describes itself.
func TestRows(t *testing.T) {
	seen := map[string]bool{}
	name := regexp.MustCompile(`^[a-z][a-z_]*$`)
	for _, m := range merge.Methods() {
		if seen[m.Name] || !name.MatchString(m.Name) {
			t.Errorf("name %q", m.Name)
		}
		seen[m.Name] = true
		if m.Doc == "" || m.Math == "" || m.Cite == "" || m.MinSources < 1 || m.Coef == nil || m.Mix == nil {
			t.Errorf("%s: the row is not complete", m.Name)
		}
		params := map[string]bool{}
		for _, p := range m.Params {
			for _, n := range append([]string{p.Name}, p.Aliases...) {
				if params[n] || !name.MatchString(n) {
					t.Errorf("%s: parameter name %q", m.Name, n)
				}
				params[n] = true
			}
			if p.Doc == "" {
				t.Errorf("%s: %s says nothing", m.Name, p.Name)
			}
			if !p.Required {
				if err := p.Check(p.Default); err != nil {
					t.Errorf("%s: the default: %v", m.Name, err)
				}
			}
			if p.Low < p.High {
				for _, v := range []float64{p.Low, p.High, p.Start} {
					if err := p.Check(v); err != nil {
						t.Errorf("%s: search: %v", m.Name, err)
					}
				}
				if p.Start < p.Low || p.Start > p.High || math.IsInf(p.High-p.Low, 0) {
					t.Errorf("%s: %s starts at %g, outside [%g, %g]", m.Name, p.Name, p.Start, p.Low, p.High)
				}
			}
		}
		for _, n := range m.Inert {
			if params[n] {
				t.Errorf("%s: %s is inert and a parameter", m.Name, n)
			}
		}
		var b bytes.Buffer
		if err := m.Describe(&b); err != nil || !strings.Contains(b.String(), m.Math) {
			t.Errorf("%s: %v\n%s", m.Name, err, b.String())
		}
	}
	for _, n := range strings.Fields(`linear slerp nuslerp multislerp karcher task_arithmetic ties dare_linear dare_ties della della_linear
		breadcrumbs breadcrumbs_ties model_stock sce arcee_fusion nearswap ram ramplus_tl passthrough tsv_m iso_c iso_cts wudi`) {
		if !seen[n] {
			t.Errorf("no %s", n)
		}
	}
}
