package tokenizers

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// vocabulary gives the output its tokens.
func (u *uniting) vocabulary() error {
	m := u.Models[u.donor]
	d := m.Tokenizer
	u.ids = make(map[string]int, len(d.tokens))
	words := d.words
	if d.kind == "Unigram" {
		words = min(words, m.Rows)
	}
	for text, id := range d.tokens {
		if id < m.Rows {
			u.ids[text] = id
			u.size = max(u.size, id+1)
			continue
		}
		u.dropped[text] = id
		if i, ok := d.place[text]; d.kind != "Unigram" && (!ok || d.added[i].word) {
			words--
		}
	}
	next := words
	for _, a := range d.added {
		if _, ok := u.ids[a.Text]; !ok {
			continue
		}
		if !a.word && a.ID != next {
			return fmt.Errorf("%s: the ids have holes, so that without the tokens beyond the embedding's %d rows token %q would have id %d and not %d; take another tokenizer as the source",
				filepath.Join(d.dir.path, d.source), m.Rows, a.Text, next, a.ID)
		}
		u.added = append(u.added, a)
		next = max(next, a.ID+1)
	}
	if len(u.dropped) > 0 && d.twice != "" {
		return fmt.Errorf("%s: the piece %q stands twice, so the vocabulary cannot be cut to the embedding's %d rows; take another tokenizer as the source",
			filepath.Join(d.dir.path, d.source), d.twice, m.Rows)
	}
	if u.size == 0 {
		return fmt.Errorf("model %s: no token's id is below the %d rows of its embedding; is this its tokenizer?", m.Name, m.Rows)
	}
	firsts := u.firsts()
	if u.Source == "union" {
		u.promote(firsts)
	}
	used := make([]bool, u.size)
	for _, id := range u.ids {
		used[id] = true
	}
	for _, a := range u.toAppend(firsts) {
		if next < len(used) && used[next] {
			return fmt.Errorf("%s: cannot append token %q: its id would be %d, which another token has, because the ids have holes; renumber the tokenizer, or take another one as the source",
				filepath.Join(d.dir.path, d.source), a.Text, next)
		}
		a.ID = next
		u.ids[a.Text], u.appended[a.Text] = next, next
		u.added = append(u.added, a)
		next++
		u.size = max(u.size, next)
	}
	slices.SortFunc(u.added, func(a, b Added) int { return cmp.Or(cmp.Compare(a.ID, b.ID), strings.Compare(a.Text, b.Text)) })
	u.note()
	return nil
}

// firsts are the added tokens that have rows in some model, or are named by the
// settings of the donor, as the first model has them, the donor before all.
func (u *uniting) firsts() map[string]Added {
	by := map[string]Added{}
	for i, m := range u.order() {
		for _, a := range m.Tokenizer.added {
			if _, ok := by[a.Text]; !ok && (m.has(a.Text) || i == 0 && m.Tokenizer.names(a.Text)) {
				by[a.Text] = a
			}
		}
	}
	return by
}

// order is the models, the donor first.
func (u *uniting) order() []Model {
	list := []Model{u.Models[u.donor]}
	for i, m := range u.Models {
		if i != u.donor {
			list = append(list, m)
		}
	}
	return list
}

// names reports whether the settings name a special token.
func (t *Tokenizer) names(text string) bool {
	return slices.ContainsFunc(t.named, func(n named) bool { return n.text == text })
}

// promote makes tokens of the donor's vocabulary added ones where another model
// has them so.
func (u *uniting) promote(firsts map[string]Added) {
	d := u.Models[u.donor].Tokenizer
	for text, a := range firsts {
		id, ok := u.ids[text]
		if _, already := d.place[text]; ok && !already {
			a.ID = id
			u.added = append(u.added, a)
		}
	}
}

// toAppend lists the tokens that the donor lacks, in the order of their new ids.
func (u *uniting) toAppend(firsts map[string]Added) []Added {
	var list []Added
	listed := map[string]bool{"": true} // an added token of no text is none
	put := func(text string) {
		if _, ok := u.ids[text]; ok || listed[text] {
			return
		}
		listed[text] = true
		a, ok := firsts[text]
		if !ok {
			a = Added{Normalized: true}
		}
		a.Text = text
		list = append(list, a)
	}
	if u.Source == "union" {
		for _, n := range u.Models[u.donor].Tokenizer.named {
			put(n.text)
		}
		later := map[int][]string{}
		for i, m := range u.order() {
			if i == 0 {
				continue // the donor's own are in, or beyond its rows
			}
			for _, text := range m.byID() {
				switch _, added := firsts[text]; {
				case !added:
					put(text)
				default:
					later[i] = append(later[i], text)
				}
			}
		}
		for i := range u.Models {
			for _, text := range later[i] {
				put(text)
			}
		}
	}
	for i := range u.Tokens {
		put(u.Tokens[i].Text)
	}
	return list
}

// byID lists the tokens that have rows by id, of equal ids by text.
func (m Model) byID() []string {
	type token struct {
		text string
		id   int
	}
	list := make([]token, 0, len(m.Tokenizer.tokens))
	for text, id := range m.Tokenizer.tokens {
		if id < m.Rows {
			list = append(list, token{text, id})
		}
	}
	slices.SortFunc(list, func(a, b token) int {
		if a.id != b.id {
			return a.id - b.id
		}
		return strings.Compare(a.text, b.text)
	})
	texts := make([]string, len(list))
	for i, t := range list {
		texts[i] = t.text
	}
	return texts
}

// note says what may surprise.
func (u *uniting) note() {
	say := func(format string, args ...any) { u.notes = append(u.notes, fmt.Sprintf(format, args...)) }
	for i, m := range u.Models {
		beyond := 0
		for _, id := range m.Tokenizer.tokens {
			if id >= m.Rows {
				beyond++
			}
		}
		if beyond > 0 {
			what := "which it counts as lacking"
			if i == u.donor {
				what = "which leave the output's vocabulary"
			}
			say("model %s: its embedding has %d rows and its tokenizer %d tokens beyond them, %s", m.Name, m.Rows, beyond, what)
		}
		if kind := u.Models[u.donor].Tokenizer.kind; u.Source == "union" && m.Tokenizer.kind != kind {
			say("model %s: its tokenizer is %s and the output's %s: the tokens appended match whole texts only", m.Name, m.Tokenizer.kind, kind)
		}
	}
	for _, n := range u.Models[u.donor].Tokenizer.named {
		if _, ok := u.ids[n.text]; !ok {
			say("%s %q has no row in the output: remove it from the tokenizer's settings, or give it a source under tokens", n.key, n.text)
		}
	}
}
