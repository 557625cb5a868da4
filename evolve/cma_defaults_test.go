package evolve

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"reflect"
	"regexp"
	"testing"
)

// What the comments of CMAOptions call default is the default.
func TestCMAOptionsDefaults(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "cma_options.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.TypeSpec)
		if !ok || spec.Name.Name != "CMAOptions" {
			return true
		}
		for _, f := range spec.Type.(*ast.StructType).Fields.List {
			text := regexp.MustCompile(`\s+`).ReplaceAllString(f.Doc.Text(), " ")
			if m := regexp.MustCompile(`Default (.*?)\. ?$`).FindStringSubmatch(text); m != nil {
				said[f.Names[0].Name] = m[1]
			}
		}
		return false
	})
	const n, lambda = 10, 10
	formulas := map[string]float64{
		"4 + floor(3 ln n)":            lambda,
		"100 + 100 n^1.5/Population":   math.Floor(100 + 100*math.Pow(n, 1.5)/lambda),
		"100 + 150 (n+3)²/√Population": math.Floor(100 + 150*(n+3)*(n+3)/math.Sqrt(lambda)),
	}
	o := reflect.ValueOf(CMAOptions{}.withDefaults(n))
	for i := range o.NumField() {
		name := o.Type().Field(i).Name
		if k := o.Field(i).Kind(); name == "Seed" || k == reflect.Slice || k == reflect.Bool || k == reflect.String {
			continue
		}
		want, ok := formulas[said[name]]
		if !ok {
			if _, err := fmt.Sscan(said[name], &want); err != nil {
				t.Errorf("%s: the comment says default %q: %v", name, said[name], err)
				continue
			}
		}
		if got := o.Field(i).Convert(reflect.TypeFor[float64]()).Float(); got != want {
			t.Errorf("%s is %v by default, the comment says %s", name, got, said[name])
		}
	}
}
