package evolve_test

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/evolve"
)

var update = flag.Bool("update", false, "write docs/optimizers.md")

// The end of the page is what the rows say.
func TestOptimizersPage(t *testing.T) {
	const page, begins = "../docs/optimizers.md", "<!-- What follows is written by the program from its table of optimizers. -->\n\n"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), begins)
	if !ok {
		t.Fatalf("%s has no line %q", page, begins)
	}
	want := evolve.OptimizersMarkdown()
	if *update {
		if err := os.WriteFile(page, []byte(head+begins+want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if rest != want {
		t.Errorf("%s is not what the rows say: go test ./evolve -run OptimizersPage -update", page)
	}
}

func TestDescribe(t *testing.T) {
	for _, a := range evolve.Optimizers() {
		var b bytes.Buffer
		if err := a.Describe(&b); err != nil {
			t.Fatal(err)
		}
		for _, o := range a.Options {
			if !strings.Contains(b.String(), o.Name) {
				t.Errorf("%s does not name its option %s:\n%s", a.Name, o.Name, b.String())
			}
		}
	}
}
