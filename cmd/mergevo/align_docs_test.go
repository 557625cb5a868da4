package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/merge/align"
)

// The table of docs/align.md is that of the families.
func TestAlignDocs(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "align.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range align.Families() {
		if row := familyRow(f); !strings.Contains(string(text), row) {
			t.Errorf("docs/align.md lacks\n%s", row)
		}
	}
}

func familyRow(f align.Family) string {
	doc := f.Doc
	if f.Residual {
		doc += "; with `residual` the residual stream"
	}
	return fmt.Sprintf("| %s | `%s` | %s |", f.Name, strings.Join(f.Types, "`, `"), doc)
}
