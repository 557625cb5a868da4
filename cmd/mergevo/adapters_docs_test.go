package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/experts"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors/view"
)

// The tables of docs/adapters.md and docs/experts.md are those that the program reads.
func TestAdapterPages(t *testing.T) {
	var adapters, mixtures []string
	for _, n := range view.Namings() {
		adapters = append(adapters, fmt.Sprintf("| %s | `%s` | %s |", n.Name, n.Example, n.Doc))
	}
	adapters = append(adapters, strings.Join(view.OtherKinds(), ", ")+".")
	for _, a := range experts.Architectures() {
		mixtures = append(mixtures, fmt.Sprintf("| `%s` | %s | %s |", a.Name, strings.Join(a.From, ", "), a.Doc))
	}
	for _, m := range recipes.GateModes() {
		mixtures = append(mixtures, fmt.Sprintf("| `%s` | %s |", m.Name, m.Doc))
	}
	for page, rows := range map[string][]string{"adapters.md": adapters, "experts.md": mixtures} {
		data, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(strings.Fields(string(data)), " ")
		for _, row := range rows {
			if !strings.Contains(text, strings.Join(strings.Fields(row), " ")) {
				t.Errorf("docs/%s lacks\n%s", page, row)
			}
		}
	}
}
