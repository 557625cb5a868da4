package tokenizers

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// files are the donor's files, with the tokens that were appended and without
// those that were dropped.
func (u *uniting) files() (map[string][]byte, error) {
	d := u.Models[u.donor].Tokenizer
	out := maps.Clone(d.dir.files)
	if len(u.appended)+len(u.dropped) == 0 && len(u.news()) == 0 {
		return out, nil
	}
	var err error
	if d.source == "tokenizer.json" {
		if out[d.source], err = u.tokenizerJSON(); err != nil {
			return nil, err
		}
	} else {
		for _, text := range slices.Sorted(maps.Keys(u.dropped)) {
			if i, ok := d.place[text]; !ok || d.added[i].word {
				return nil, fmt.Errorf("%s: token %q has id %d, beyond the embedding's %d rows, and only a tokenizer.json can be cut; make one with transformers: AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)",
					filepath.Join(d.dir.path, d.source), text, u.dropped[text], u.Models[u.donor].Rows)
			}
		}
	}
	const config, legacy = "tokenizer_config.json", "added_tokens.json"
	if d.decoder {
		if out[config], err = u.config(out[config]); err != nil {
			return nil, err
		}
	}
	text, there := out[legacy]
	if !there && d.source != "tokenizer.json" && !d.decoder && len(u.news()) > 0 {
		text, there = []byte("{}"), true
	}
	if there {
		if out[legacy], err = u.legacy(text); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// news are the output's added tokens that tokenizer.json must be told: appended
// ones, those of the donor's vocabulary that became added ones, and where ids
// follow them those that only its settings name.
func (u *uniting) news() []Added {
	d := u.Models[u.donor].Tokenizer
	var list []Added
	for _, a := range u.added {
		i, ok := d.place[a.Text]
		_, again := u.appended[a.Text]
		if !ok || again || i >= d.inFile && len(u.appended) > 0 {
			list = append(list, a)
		}
	}
	return list
}

// tokenizerJSON edits tokenizer.json where it stands.
func (u *uniting) tokenizerJSON() ([]byte, error) {
	d := u.Models[u.donor].Tokenizer
	text := string(d.dir.files[d.source])
	at := func(i int) *cursor { return &cursor{path: filepath.Join(d.dir.path, d.source), text: text, at: i} }
	list, err := u.addedList(at)
	if err != nil {
		return nil, err
	}
	parts := []*container{list}
	if len(u.dropped) > 0 {
		cut, err := u.cutModel(at)
		if err != nil {
			return nil, err
		}
		parts = append(parts, cut...)
	}
	return splice(text, parts...), nil
}

// stays returns the id of a token of the donor's, and whether it is still there.
func (u *uniting) stays(text string) (int, bool) {
	id, ok := u.ids[text]
	_, again := u.appended[text]
	return id, ok && !again
}

// addedList is added_tokens, in the order of ids.
func (u *uniting) addedList(at func(int) *cursor) (*container, error) {
	d := u.Models[u.donor].Tokenizer
	pretty := strings.IndexByte(at(0).text, '\n') >= 0
	list, lone := &container{open: "[", between: ",", shut: "]"}, d.marks.added == 0
	if !lone {
		c := at(d.marks.added)
		var err error
		list, err = c.container("added_tokens", func(string) (bool, int, error) {
			a, err := c.token()
			id, ok := u.stays(a.Text)
			return ok, id, err
		})
		if err != nil {
			return nil, err
		}
	}
	if len(list.open) == 1 && pretty {
		list.lay(2)
	}
	for _, a := range u.news() {
		list.items = append(list.items, item{a.ID, spell(list.lead(), append([]field{{"id", strconv.Itoa(a.ID)}}, a.fields()...))})
	}
	if lone { // the key goes before all others
		c := at(0)
		c.peek()
		list.span = span{c.at + 1, c.at + 1}
		list.open, list.shut = `"added_tokens":`+list.open, list.shut+","
	}
	return list, nil
}

func (a Added) fields() []field {
	list := []field{{"content", quote(a.Text)}}
	for _, f := range []struct {
		key string
		on  bool
	}{{"single_word", a.SingleWord}, {"lstrip", a.LStrip}, {"rstrip", a.RStrip}, {"normalized", a.Normalized}, {"special", a.Special}} {
		list = append(list, field{f.key, strconv.FormatBool(f.on)})
	}
	return list
}

// cutModel is the vocabulary, and the merges, without the tokens that were
// dropped.
func (u *uniting) cutModel(at func(int) *cursor) ([]*container, error) {
	m := u.Models[u.donor]
	d := m.Tokenizer
	c := at(d.marks.vocab)
	next := 0
	vocab, err := c.container("the vocabulary", func(key string) (bool, int, error) {
		if d.kind == "Unigram" {
			next++
			return next <= m.Rows, 0, c.skip()
		}
		id, err := c.id("the token's id")
		return id < m.Rows, 0, err
	})
	if err != nil || d.marks.merges == 0 {
		return []*container{vocab}, err
	}
	c = at(d.marks.merges)
	gone := func(text string) bool { _, ok := u.dropped[text]; return ok }
	merges, err := c.container("merges", func(string) (bool, int, error) {
		a, b, err := c.merge()
		return !gone(a) && !gone(b) && !gone(a+strings.TrimPrefix(b, d.prefix)), 0, err
	})
	return []*container{vocab, merges}, err
}

// merge reads a pair of tokens: ["a", "b"], or "a b" as older files have it.
func (c *cursor) merge() (a, b string, err error) {
	c.peek()
	at := c.at
	var parts []string
	if c.peek() == '"' {
		var text string
		if text, err = c.str("a merge"); err != nil {
			return "", "", err
		}
		parts = strings.Split(text, " ")
	} else {
		err = c.list("a merge", func() error {
			text, err := c.str("a token of a merge")
			parts = append(parts, text)
			return err
		})
	}
	if err == nil && len(parts) != 2 {
		err = c.fail(at, "a merge is of two tokens, not %d", len(parts))
	}
	if err != nil {
		return "", "", err
	}
	return parts[0], parts[1], nil
}

// config edits added_tokens_decoder of tokenizer_config.json.
func (u *uniting) config(data []byte) ([]byte, error) {
	text := string(data)
	c := &cursor{path: filepath.Join(u.Models[u.donor].Tokenizer.dir.path, "tokenizer_config.json"), text: text}
	there := map[string]bool{}
	var decoder *container
	err := c.object("the file", func(key string, _ int) (err error) {
		if key != "added_tokens_decoder" {
			return c.skip()
		}
		decoder, err = c.container(key, func(string) (bool, int, error) {
			a, err := c.token()
			there[a.Text] = true
			id, ok := u.stays(a.Text)
			return ok, id, err
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(decoder.open) == 1 && strings.Contains(text, "\n") {
		decoder.lay(2)
	}
	colon := ":"
	if decoder.lead() != "" {
		colon = ": "
	}
	for _, a := range u.beside(there) {
		decoder.items = append(decoder.items, item{a.ID, quote(strconv.Itoa(a.ID)) + colon + spell(decoder.lead(), a.fields())})
	}
	return splice(text, decoder), nil
}

// beside are the tokens that a file beside the vocabulary must be told: those
// appended, and without a tokenizer.json, all that ids depend on. There are the
// tokens that the file has had, of which those dropped may come again.
func (u *uniting) beside(there map[string]bool) []Added {
	var list []Added
	for _, a := range u.news() {
		_, appended := u.appended[a.Text]
		if appended || !there[a.Text] && u.Models[u.donor].Tokenizer.source != "tokenizer.json" {
			list = append(list, a)
		}
	}
	return list
}

// legacy edits added_tokens.json.
func (u *uniting) legacy(data []byte) ([]byte, error) {
	text := string(data)
	c := &cursor{path: filepath.Join(u.Models[u.donor].Tokenizer.dir.path, "added_tokens.json"), text: text}
	there := map[string]bool{}
	all, err := c.container("the file", func(key string) (bool, int, error) {
		there[key] = true
		id, ok := u.stays(key)
		return ok, id, c.skip()
	})
	if err != nil {
		return nil, err
	}
	if len(all.open) == 1 {
		all.lay(1)
	}
	for _, a := range u.beside(there) {
		all.items = append(all.items, item{a.ID, quote(a.Text) + ": " + strconv.Itoa(a.ID)})
	}
	return splice(text, all), nil
}
