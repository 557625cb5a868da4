package recipes

import (
	"slices"
	"strings"
)

// Tokenizer says what vocabulary the output has, and where its rows come from.
type Tokenizer struct {
	// Source is "union", "base" or a model's reference.
	Source string
	// Tokens are told one by one, in the order of the file; tokens that no model
	// has are added.
	Tokens []Token
	// PadTo, if positive, rounds the rows of the vocabulary up to its multiple.
	PadTo int

	place
}

// Token says what one token's row is.
type Token struct {
	Text string
	// Exactly one of: a model's own row for the token, zeros, or the row that a
	// model has for another token, named by its text or, where that is empty, id.
	// None is the default: what the models have.
	Model      string
	Zero       bool
	OtherModel string
	Other      string
	OtherID    int
	// Force gives every model this row, those too that have the token.
	Force bool

	place
}

func (d *decoder) tokenizer(r *Recipe, f map[string]*node) {
	if n, ok := f["chat_template"]; ok && !n.null() {
		r.ChatTemplate = d.named(n, "chat_template")
	}
	source, simple := f["tokenizer_source"]
	full, ok := f["tokenizer"]
	simple, ok = simple && !source.null(), ok && !full.null()
	switch {
	case simple && ok:
		d.at(full.place, "a recipe has either tokenizer_source or tokenizer")
	case simple:
		r.Tokenizer = &Tokenizer{Source: d.vocabulary(r, source), place: source.place}
	case ok:
		t := d.fields(full, "tokenizer", []string{"source", "tokens", "pad_to_multiple_of"})
		if t == nil {
			return
		}
		r.Tokenizer = &Tokenizer{Source: "union", place: full.place}
		if s, ok := t["source"]; ok && !s.null() {
			r.Tokenizer.Source = d.vocabulary(r, s)
		}
		if p, ok := t["pad_to_multiple_of"]; ok && !p.null() {
			r.Tokenizer.PadTo = d.whole(p, "pad_to_multiple_of", 1, 1<<20)
		}
		if list, ok := t["tokens"]; ok && !list.null() {
			d.tokens(r, list)
		}
	}
}

// vocabulary decodes union, base or a model.
func (d *decoder) vocabulary(r *Recipe, n *node) string {
	if n.kind == scalarNode && (n.text == "union" || n.text == "base") {
		if n.text == "base" && r.base == "" {
			d.at(n.place, "the tokenizer is the base's, and there is no base_model")
		}
		return n.text
	}
	return d.listedModel(r, n, "tokenizer source", "union", "base")
}

// listedModel decodes a reference to one of the recipe's models.
func (d *decoder) listedModel(r *Recipe, n *node, what string, others ...string) string {
	ref := d.ref(n, what)
	if known := r.Models(); ref != "" && !slices.Contains(known, ref) {
		hint := d.didYouMean(ref, append(others, known...))
		if hint == "" {
			hint = "known: " + strings.Join(append(others, known...), ", ")
		}
		d.hint(n.place, hint, "%s is %s, which is no model of this recipe", what, shorten(ref))
	}
	return ref
}

func (d *decoder) tokens(r *Recipe, n *node) {
	if n.kind != mapNode {
		d.at(n.place, "tokens is a mapping from a token to {source: ...}, not %s", n.describe())
		return
	}
	for i, k := range n.keys {
		t := Token{Text: k.text, place: k.place}
		f := d.fields(n.items[i], "a token", []string{"source", "force"})
		if f == nil {
			continue
		}
		if force, ok := f["force"]; ok {
			if t.Force, ok = force.boolean(); !ok {
				d.at(force.place, "force is true or false, not %s", force.describe())
			}
		}
		if s, ok := f["source"]; ok && !s.null() {
			d.tokenSource(r, s, &t)
		}
		r.Tokenizer.Tokens = append(r.Tokenizer.Tokens, t)
	}
}

func (d *decoder) tokenSource(r *Recipe, n *node, t *Token) {
	kind, ok := n.get("kind")
	if !ok {
		t.Model = d.listedModel(r, n, "source")
		return
	}
	switch d.oneOf(kind, "kind", "zero", "model_token") {
	case "zero":
		d.fields(n, "a source of zeros", []string{"kind"})
		t.Zero = true
	case "model_token":
		f := d.fields(n, "a source of another token", []string{"kind", "model", "token", "token_id"})
		model, ok := f["model"]
		if !ok {
			d.at(n.place, "model is missing")
			return
		}
		t.OtherModel = d.listedModel(r, model, "model")
		text, byText := f["token"]
		id, byID := f["token_id"]
		byText, byID = byText && !text.null(), byID && !id.null()
		switch {
		case byText == byID:
			d.at(n.place, "another token is named by either token or token_id")
		case byText:
			t.Other = d.named(text, "token")
		default:
			t.OtherID = d.whole(id, "token_id", 0, 1<<30)
		}
	}
}

// encode puts the keys of the tokenizer into a recipe.
func (t *Tokenizer) encode(to *node) {
	if t == nil {
		return
	}
	if t.Tokens == nil && t.PadTo == 0 {
		to.put("tokenizer_source", word(t.Source))
		return
	}
	n := &node{kind: mapNode}
	n.put("source", word(t.Source))
	if t.Tokens != nil {
		list := &node{kind: mapNode}
		for _, k := range t.Tokens {
			list.put(k.Text, k.encode())
		}
		n.put("tokens", list)
	}
	if t.PadTo > 0 {
		n.put("pad_to_multiple_of", intNode(t.PadTo))
	}
	to.put("tokenizer", n)
}

func (t Token) encode() *node {
	n := &node{kind: mapNode, flow: true}
	switch s := (&node{kind: mapNode, flow: true}); {
	case t.Model != "":
		n.put("source", word(t.Model))
	case t.Zero:
		s.put("kind", word("zero"))
		n.put("source", s)
	case t.OtherModel != "":
		s.put("kind", word("model_token"))
		s.put("model", word(t.OtherModel))
		if t.Other != "" {
			s.put("token", word(t.Other))
		} else {
			s.put("token_id", intNode(t.OtherID))
		}
		n.put("source", s)
	}
	if t.Force {
		n.put("force", boolNode(true))
	}
	return n
}

// renamed is the tokenizer with other references to models.
func (t *Tokenizer) renamed(to func(string) string) *Tokenizer {
	if t == nil {
		return nil
	}
	c := *t
	if c.Source != "union" && c.Source != "base" {
		c.Source = to(c.Source)
	}
	c.Tokens = slices.Clone(t.Tokens)
	for i := range c.Tokens {
		for _, ref := range []*string{&c.Tokens[i].Model, &c.Tokens[i].OtherModel} {
			if *ref != "" {
				*ref = to(*ref)
			}
		}
	}
	return &c
}

// renamedKeys is a mapping with other keys, in the order of the old ones.
func renamedKeys(n *node, to func(string) string) *node {
	out := *n
	out.keys = slices.Clone(n.keys)
	for i, k := range n.keys {
		out.keys[i] = word(to(k.text))
	}
	return &out
}
