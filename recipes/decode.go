package recipes

import (
	"math"
	"slices"
	"strings"

	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// formatVersion is what `mergevo:` says. A change that gives an old recipe
// another meaning raises it.
const formatVersion = 1

var topKeys = []string{"mergevo", "name", "merge_method", "base_model", "adapted_model", "models", "slices", "modules", "init", "parameters", "niche", "flow", "adapters", "align",
	"dtype", "out_dtype", "tokenizer_source", "tokenizer", "chat_template", "seed", "search", "provenance"}

// decodeRecipe checks a tree, and gives it types.
func decodeRecipe(name string, root *node) (*Recipe, error) {
	r := &Recipe{name: name, root: root}
	d := &decoder{}
	f := d.fields(root, "a recipe", topKeys)
	if f == nil {
		return nil, d.err()
	}
	if n, ok := f["mergevo"]; ok {
		d.version(n)
	}
	if n, ok := f["name"]; ok && !n.null() {
		r.document = d.named(n, "name")
	}
	if n, ok := f["merge_method"]; ok {
		r.method = d.method(n)
	} else if !d.meant["merge_method"] {
		d.at(root.place, "merge_method is missing")
	}
	if n, ok := f["base_model"]; ok && !n.null() {
		r.base, r.baseAt = d.ref(n, "base_model"), n.place
	}
	if n, ok := f["adapted_model"]; ok && !n.null() {
		r.adapted = d.ref(n, "adapted_model")
	}
	for key, to := range map[string]*tensors.DType{"dtype": &r.dtype, "out_dtype": &r.outDType} {
		if n, ok := f[key]; ok && !n.null() {
			*to = d.dtype(n, key)
		}
	}
	if n, ok := f["seed"]; ok {
		r.seed = d.seed(n, "seed")
	}
	if n, ok := f["adapters"]; ok {
		d.adapters(r, n)
		r.changeOnly()
	}
	if n, ok := f["search"]; ok {
		r.Search = d.search(n, r.niched())
	}
	if n, ok := f["provenance"]; ok {
		if n.kind != mapNode {
			d.at(n.place, "provenance is a mapping, not %s", n.describe())
		}
		r.provenance = n
	}
	d.models(r, root, f)
	if n, ok := f["align"]; ok {
		d.align(n, r)
	}
	if len(r.method.methods) > 0 {
		r.global = d.scope(f["parameters"], ofRecipe, r.method.table, r)
		if n, ok := f["flow"]; ok {
			d.flow(n, r)
		}
		for i := range r.slices {
			for _, m := range r.method.methods {
				d.rules(r, m, &r.slices[i])
			}
		}
	}
	if n, ok := f["niche"]; ok {
		d.niche(n, r)
	}
	d.nicheRules(r, f)
	d.stackRules(r)
	d.tokenizer(r, f)
	if err := d.err(); err != nil {
		return nil, err
	}
	return r, nil
}

func (d *decoder) version(n *node) {
	v, ok := n.number()
	switch {
	case !ok || v != math.Trunc(v) || v < 1:
		d.at(n.place, "mergevo is the format's version, %d, not %s", formatVersion, n.describe())
	case v > formatVersion:
		d.hint(n.place, "install a newer mergevo", "format version %s is newer than this program's, %d", n.text, formatVersion)
	}
}

func (d *decoder) method(n *node) methodChoice {
	c := methodChoice{place: n.place}
	if n.kind != mapNode {
		if m := d.methodName(n); m != nil {
			c.methods = []*merge.Method{m}
		}
		return c
	}
	f := d.fields(n, "merge_method", []string{"choose", "start"})
	choose, ok := f["choose"]
	if !ok {
		d.at(n.place, "merge_method is a name or {choose: [...]}")
		return c
	}
	for _, item := range d.list1(choose, "choose") {
		m := d.methodName(item)
		if m == nil {
			continue
		}
		if slices.Contains(c.methods, m) {
			d.at(item.place, "%s is in the list twice", m.Name)
			continue
		}
		d.agree(item.place, c.table, m)
		c.methods = append(c.methods, m)
	}
	if len(choose.items) == 1 {
		d.at(choose.place, "choose needs a list of two or more values")
	}
	if s, ok := f["start"]; ok {
		c.hasStart = true
		c.start = slices.IndexFunc(c.methods, func(m *merge.Method) bool { return m.Name == s.text })
		if c.start < 0 {
			d.at(s.place, "start is not one of the choices")
		}
	}
	return c
}

// agree refuses methods that use one name for two kinds of parameter: no value
// could be right for both.
func (d *decoder) agree(p place, t table, m *merge.Method) {
	for _, row := range m.Params {
		for _, other := range t.rows(row.Name) {
			if other.PerSource != row.PerSource || other.Bool != row.Bool || !slices.Equal(other.Choices, row.Choices) {
				d.at(p, "%s means another thing in %s than in %v: they cannot be chosen between", row.Name, m.Name, t)
				return
			}
		}
	}
}

func (d *decoder) methodName(n *node) *merge.Method {
	s, ok := d.text(n, "merge_method")
	if !ok {
		return nil
	}
	m, ok := merge.Lookup(s)
	if !ok {
		var names []string
		for _, m := range merge.Methods() {
			names = append(names, m.Name)
		}
		hint := d.didYouMean(s, names)
		if hint == "" {
			hint = "known: " + strings.Join(names, ", ")
		}
		d.hint(n.place, hint, "unknown merge method %q", shorten(s))
		return nil
	}
	return m
}

// ref decodes a reference to a model: a path, org/name[@revision], either with
// +lora, or mergekit's mapping of these parts.
func (d *decoder) ref(n *node, what string) string {
	if n.kind != mapNode {
		return d.named(n, what)
	}
	if _, ok := n.get("path"); ok {
		return d.located(n, what)
	}
	f := d.fields(n, what, []string{"model", "lora", "override_architecture"})
	if f == nil {
		return ""
	}
	inner, ok := f["model"]
	if !ok {
		d.at(n.place, "model is missing")
		return ""
	}
	ref := d.located(inner, what)
	if lora, ok := f["lora"]; ok && !lora.null() {
		ref += "+" + d.located(lora, "lora")
	}
	if a, ok := f["override_architecture"]; ok && !a.null() {
		d.hint(a.place, "remove it: tensors are merged by name, no architecture file is read", "override_architecture has nothing to override")
	}
	return ref
}

// located decodes a path, or {path, revision}.
func (d *decoder) located(n *node, what string) string {
	if n.kind != mapNode {
		return d.named(n, what)
	}
	f := d.fields(n, what, []string{"path", "revision"})
	if f == nil {
		return ""
	}
	path, ok := f["path"]
	if !ok {
		d.at(n.place, "path is missing")
		return ""
	}
	ref := d.named(path, "path")
	if rev, ok := f["revision"]; ok && !rev.null() {
		ref += "@" + d.named(rev, "revision")
	}
	return ref
}

func (d *decoder) dtype(n *node, what string) tensors.DType {
	s, ok := d.text(n, what)
	if !ok {
		return 0
	}
	t, err := tensors.ParseTorchDType(s)
	if err == nil && t.Float() {
		return t
	}
	var names []string
	for _, t := range []tensors.DType{tensors.BF16, tensors.F16, tensors.F32, tensors.F64} {
		names = append(names, t.Torch())
	}
	hint := d.didYouMean(s, names)
	switch s {
	case "bf16":
		hint = didYouMeanWord("bfloat16")
	case "fp16", "half":
		hint = didYouMeanWord("float16")
	case "fp32", "float":
		hint = didYouMeanWord("float32")
	}
	d.hint(n.place, hint, "%s is %s, not %s", what, strings.Join(names, ", "), n.describe())
	return 0
}
