package recipes_test

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/recipes"
	"pgregory.net/rapid"
)

// recipeText draws a valid recipe of any method we have, with holes anywhere.
func recipeText(t *rapid.T, subs []string, depth int) string {
	var b strings.Builder
	all := slices.Clone(merge.Methods())
	all = slices.DeleteFunc(all, func(m *merge.Method) bool { return m.Params == nil && m.Rows != nil }) // niche has pieces instead
	m := rapid.SampledFrom(all).Draw(t, "method")
	chosen := []*merge.Method{m}
	if rapid.IntRange(0, 3).Draw(t, "choose") == 0 {
		other := rapid.SampledFrom(all).Draw(t, "other")
		if other != m && m.MaxSources == 0 && other.MaxSources == 0 && alike(m, other) {
			chosen = append(chosen, other)
		}
	}
	if len(chosen) == 2 {
		fmt.Fprintf(&b, "merge_method: {choose: [%s, %s]}\n", chosen[0].Name, chosen[1].Name)
	} else {
		fmt.Fprintf(&b, "merge_method: %s\n", m.Name)
	}
	fmt.Fprintf(&b, "base_model: base\nseed: %d\n", rapid.Uint64().Draw(t, "seed"))
	if rapid.IntRange(0, 5).Draw(t, "adapters") == 0 {
		fmt.Fprintf(&b, "adapters: {%s}\n", rapid.SampledFrom([]string{"rank: 8", "energy: 0.95, rank: 3", "space: factors", ""}).Draw(t, "adapters"))
	}
	if rapid.IntRange(0, 5).Draw(t, "align") == 0 && !strings.Contains(b.String(), "adapters:") {
		fmt.Fprintf(&b, "align: {%s}\n", rapid.SampledFrom([]string{"", "to: base", "to: a/x, seed: 9", "together: true, residual: true"}).Draw(t, "block"))
	}
	models := []string{"a/x", "b/x", "c"}
	if m.MaxSources > 0 {
		models = models[:m.MaxSources]
	}
	if rapid.Bool().Draw(t, "base listed") && (m.MaxSources == 0 || m.Base != merge.BaseUnused) {
		models = append([]string{"base"}, models...)
	}
	var perSource, shared []merge.Param
	seen, required := map[string]bool{}, map[string]bool{}
	for _, m := range chosen {
		for _, p := range m.Params {
			required[p.Name] = required[p.Name] || p.Required
			if seen[p.Name] {
				continue
			}
			seen[p.Name] = true
			if p.PerSource {
				perSource = append(perSource, p)
			}
			shared = append(shared, p)
		}
	}
	list := func(pad, layers string) {
		for _, ref := range models {
			fmt.Fprintf(&b, "%s- model: %s\n%s", pad, ref, layers)
			for _, m := range chosen {
				if s := m.Statistic; s != nil {
					fmt.Fprintf(&b, "%s  %s: %s.%s.safetensors\n", pad, s.Name, ref, s.Name)
				}
			}
			var own []string
			for _, p := range perSource {
				if (ref != "base" || chosen[0].Base == merge.BaseUnused) && rapid.Bool().Draw(t, "own "+p.Name) {
					own = append(own, fmt.Sprintf("%s    %s: %s\n", pad, p.Name, settingText(t, p, subs, false)))
				}
			}
			if own != nil {
				b.WriteString(pad + "  parameters:\n" + strings.Join(own, ""))
			}
		}
	}
	if rapid.IntRange(0, 3).Draw(t, "sliced") > 0 {
		b.WriteString("models:\n")
		list("", "")
	} else {
		b.WriteString("slices:\n")
		slices := 1
		if depth > 0 {
			slices = rapid.IntRange(1, 3).Draw(t, "slices")
		}
		for range slices {
			layers := ""
			if slices > 1 {
				from := rapid.IntRange(0, depth-1).Draw(t, "from")
				layers = fmt.Sprintf("    layer_range: [%d, %d]\n", from, rapid.IntRange(from+1, depth).Draw(t, "to"))
			}
			b.WriteString("- sources:\n")
			list("  ", layers)
			var own []string
			for _, p := range shared {
				if rapid.IntRange(0, 2).Draw(t, "slice "+p.Name) == 0 {
					own = append(own, fmt.Sprintf("    %s: %s\n", p.Name, settingText(t, p, subs, p.PerSource)))
				}
			}
			if own != nil {
				b.WriteString("  parameters:\n" + strings.Join(own, ""))
			}
		}
	}
	b.WriteString("parameters:\n")
	for _, p := range shared {
		if required[p.Name] || rapid.Bool().Draw(t, "global "+p.Name) {
			fmt.Fprintf(&b, "  %s: %s\n", p.Name, settingText(t, p, subs, p.PerSource))
		}
	}
	return b.String()
}

// alike reports whether two methods mean the same by the names they share.
func alike(a, b *merge.Method) bool {
	for _, p := range a.Params {
		if q, ok := b.Param(p.Name); ok && (p.PerSource != q.PerSource || p.Bool != q.Bool || p.Min != q.Min || p.Max != q.Max) {
			return false
		}
	}
	return true
}

func settingText(t *rapid.T, p merge.Param, subs []string, perModel bool) string {
	point := func() string { return pointText(t, p, subs, perModel) }
	unfiltered := func() string {
		if rapid.IntRange(0, 3).Draw(t, "gradient") > 0 {
			return point()
		}
		var items []string
		for range rapid.IntRange(1, 4).Draw(t, "points") {
			items = append(items, point())
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	if rapid.IntRange(0, 2).Draw(t, "filters") > 0 {
		return unfiltered()
	}
	var items []string
	for range rapid.IntRange(1, 2).Draw(t, "entries") {
		items = append(items, fmt.Sprintf("{filter: %q, value: %s}", rapid.SampledFrom(subs).Draw(t, "filter"), unfiltered()))
	}
	if p.Required || rapid.Bool().Draw(t, "rest") {
		items = append(items, fmt.Sprintf("{value: %s}", unfiltered()))
	}
	return "[" + strings.Join(items, ", ") + "]"
}

func pointText(t *rapid.T, p merge.Param, subs []string, perModel bool) string {
	number := func() string {
		if p.Bool {
			return strconv.FormatBool(rapid.Bool().Draw(t, "flag"))
		}
		if p.Choices != nil {
			return rapid.SampledFrom(p.Choices).Draw(t, "choice")
		}
		lo, hi := math.Max(p.Min, -1e9), math.Min(p.Max, 1e9)
		return strconv.FormatFloat(rapid.Float64Range(lo, hi).Draw(t, "number"), 'g', -1, 64)
	}
	if p.Fixed || rapid.Bool().Draw(t, "plain") {
		return number()
	}
	hole := "search: default"
	lo, hi := math.Max(p.Min, 0.25), math.Min(p.Max, math.Max(p.Min, 0.25)+0.75)
	if hi <= lo {
		lo = hi / 2
	}
	span := fmt.Sprintf("search: [%g, %g], scale: log", lo, hi)
	switch kind := rapid.IntRange(0, 2).Draw(t, "hole"); {
	case p.Bool && kind == 0:
		hole = "choose: [true, false], start: false"
	case p.Choices != nil && kind == 0:
		hole = "choose: [" + strings.Join(p.Choices, ", ") + "]"
	case p.Bool || p.Choices != nil:
	case kind == 0 || p.Low >= p.High:
		hole = span
	case kind == 1:
		hole = fmt.Sprintf("choose: [%g, %g, %g]", lo, hi, (lo+hi)/2)
	}
	pers := []string{"", "layer", "tensor", "{layers: 3}", fmt.Sprintf("{match: [%q, %q]}", subs[0], subs[1]), fmt.Sprintf("[layer, {match: [%q]}]", subs[2])}
	if perModel {
		pers = append(pers, "model", "[model, tensor]", "[model, layer]", fmt.Sprintf("[model, {match: [%q]}]", subs[2]))
	}
	if per := rapid.SampledFrom(pers).Draw(t, "per"); per != "" {
		hole += ", per: " + per
	}
	return "{" + hole + "}"
}

var substrings = map[string][]string{
	"llama":  {"layers.1", "self_attn", "mlp", "lm_head", "layers.1."},
	"mlp":    {"weight", "2.", "bias", "2.weight"},
	"towers": {"text_model", "layers.1", "embed", "mlp", "model.embed"},
	"one":    {"attn", "mlp", "wte"},
}

// A recipe written and read is the same recipe, and the recipe of a point is the
// point's merge, bit for bit, whatever the holes are for.
func TestFillIsSpec(t *testing.T) {
	for name, is := range checkpoints() {
		t.Run(name, func(t *testing.T) {
			bound := 0
			rapid.Check(t, func(t *rapid.T) {
				text := recipeText(t, substrings[name], map[string]int{"llama": 12}[name])
				r, err := recipes.Parse("random", []byte(text))
				if err != nil {
					t.Fatalf("%s\n%v", text, err)
				}
				identity(t, r)
				f, err := r.Bind(is)
				if err != nil {
					if !strings.Contains(err.Error(), "never read") && !strings.Contains(err.Error(), "gets no") {
						t.Fatalf("%s\n%v", text, err)
					}
					return
				}
				bound++
				box := f.Box()
				u := make([]float64, len(box))
				for i := range u {
					u[i] = rapid.Float64Range(0, 1).Draw(t, "u")
				}
				if len(box) > 0 {
					if err := box.Validate(); err != nil {
						t.Fatalf("%s\n%v", text, err)
					}
				}
				values := box.Values(u)
				want, err := f.Spec(values)
				if err != nil {
					t.Fatal(err)
				}
				filled, err := f.Fill(values)
				if err != nil {
					t.Fatalf("%s\n%v", text, err)
				}
				if filled.HasHoles() || filled.Search != nil {
					t.Fatalf("holes are left:\n%s", filled.Marshal())
				}
				again, err := filled.Bind(is)
				if err != nil {
					t.Fatalf("%s\n%s\n%v", text, filled.Marshal(), err)
				}
				got, err := again.Spec(nil)
				if err != nil {
					t.Fatal(err)
				}
				if err := sameMerge(f, again, want, got); err != nil {
					t.Fatalf("%s\nfilled:\n%s\n%v", text, filled.Marshal(), err)
				}
			})
			if bound == 0 {
				t.Error("no recipe was bound")
			}
			t.Logf("%d bound", bound)
		})
	}
}

// identity checks that writing and reading a recipe changes nothing.
func identity(t interface {
	Helper()
	Fatalf(string, ...any)
}, r *recipes.Recipe) {
	t.Helper()
	text := r.Marshal()
	again, err := recipes.Parse("again", text)
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	if diff := recipes.Diff(r, again); diff != "" {
		t.Fatalf("%s\n%s", text, diff)
	}
	if got := again.Marshal(); string(got) != string(text) {
		t.Fatalf("once:\n%s\ntwice:\n%s", text, got)
	}
}
