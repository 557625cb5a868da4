package recipes_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mergevo/mergevo/recipes"
)

// Parse never panics, an error has a place, and what is accepted is written and
// read back as it was.
func FuzzParse(f *testing.F) {
	for _, dir := range []string{"good", "bad", "mergekit"} {
		paths, err := filepath.Glob(filepath.Join("testdata", dir, "*.yml"))
		if err != nil {
			f.Fatal(err)
		}
		for _, p := range paths {
			data, err := os.ReadFile(p)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	llama := checkpoints()["llama"]
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := recipes.Parse("fuzz", data)
		if err != nil {
			var e *recipes.Error
			if !errors.As(err, &e) || e.Line < 1 || e.Col < 1 {
				t.Fatalf("no place in %v", err)
			}
			return
		}
		identity(t, r)
		family, err := r.Bind(llama)
		if err != nil {
			return
		}
		box := family.Box()
		values := box.Values(box.Start())
		want, err := family.Spec(values)
		if err != nil {
			t.Fatal(err)
		}
		filled, err := family.Fill(values)
		if err != nil {
			t.Fatal(err)
		}
		again, err := filled.Bind(llama)
		if err != nil {
			t.Fatalf("%s\n%v", filled.Marshal(), err)
		}
		got, err := again.Spec(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := sameMerge(family, again, want, got); err != nil {
			t.Fatalf("%s\n%v", filled.Marshal(), err)
		}
	})
}

// Hostile files are read or refused in a moment: what takes exponential time does not end.
func TestHostile(t *testing.T) {
	const head = "merge_method: linear\nmodels: [{model: a, parameters: {weight: 1}}]\n"
	mega := func(s string) string { return strings.Repeat(s, (8<<20)/len(s)) }
	lines := func(s string, n int) string { return strings.Repeat(s, n) }
	many := func(n int, each func(i int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(each(i))
		}
		return b.String()
	}
	for name, text := range map[string]string{
		"brackets": mega("["), "braces": mega("{a: "), "dashes": mega("- "), "questions": mega("? "), "anchors": mega("&a "),
		"tags": mega("!!a "), "colons": mega("a: "), "quotes": mega("'"), "spaces": mega(" "), "tabs": mega("\t"), "newlines": mega("\n"),
		"comments": mega("# x\n"), "documents": mega("---\n"), "plain": mega("word "), "one word": mega("w"), "text": head + "provenance: {x: \"" + mega("y") + "\"}\n",
		"too large": mega("123456789\n") + mega("123456789\n") + mega("1"),
		"unknown keys": many(60000, func(i int) string {
			return "key" + strings.Repeat("y", i%50) + strings.Repeat("z", i/50%50) + strings.Repeat("q", i/2500) + ": 1\n"
		}),
		"models":      "merge_method: linear\nparameters: {weight: 1}\nmodels:\n" + many(60000, func(i int) string { return "- {model: x" + time.Duration(i).String() + "}\n" }),
		"bad numbers": "merge_method: linear\nmodels: [{model: a}]\nparameters: {weight: [" + lines("x, ", 150000) + "]}\n",
		"choices":     "merge_method: linear\nmodels: [{model: a}]\nparameters: {weight: {choose: [" + many(100000, func(i int) string { return time.Duration(i).String()[:1] + "." + strings.Repeat("1", i%9) + ", " }) + "]}}\n",
		"deep indent": many(2000, func(i int) string { return strings.Repeat(" ", i) + "a:\n" }),
		"laughs": head + "provenance:\n  a: &a [" + lines("x, ", 50) + "]\n" + many(20, func(i int) string {
			c := string(rune('b' + i))
			p := string(rune('a' + i))
			return "  " + c + ": &" + c + " [" + lines("*"+p+", ", 50) + "]\n"
		}),
		"long laughs": head + "provenance:\n  a: &a " + strings.Repeat("w", 1<<20) + "\n  b: [" + lines("*a, ", 100000) + "]\n",
	} {
		t.Run(name, func(t *testing.T) {
			r, err := recipes.Parse("hostile", []byte(text))
			if err == nil {
				r.Marshal()
			}
			if err != nil && len(err.Error()) > 50000 {
				t.Errorf("a message of %d bytes", len(err.Error()))
			}
		})
	}
}
