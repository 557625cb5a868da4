package tokenizers

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// kinds are the models that a tokenizer.json may have.
var kinds = []string{"BPE", "Unigram", "WordLevel", "WordPiece"}

// readJSON reads tokenizer.json: the vocabulary of its model, and the added tokens
// as listed.
func (t *Tokenizer) readJSON() (listed []Added, err error) {
	hasModel := false
	err = t.dir.object(t.source, func(c *cursor, key string) error {
		c.peek()
		switch key {
		case "added_tokens":
			t.marks.added = c.at
			return c.list(key, func() error {
				a, err := c.token()
				listed = append(listed, a)
				return err
			})
		case "model":
			hasModel = true
			return t.readModel(c)
		}
		return c.skip()
	})
	if err == nil && !hasModel {
		err = fmt.Errorf("%s: has no model; download the file again", filepath.Join(t.dir.path, t.source))
	}
	return listed, err
}

// readModel reads the object at the key model. Old files do not say its type: it
// shows in the other keys.
func (t *Tokenizer) readModel(c *cursor) error {
	keys := map[string]bool{}
	start := c.at
	err := c.object("the model", func(key string, at int) (err error) {
		if keys[key] {
			return c.fail(at, "the key %q stands twice in the model; remove one", key)
		}
		keys[key] = true
		switch b := c.peek(); {
		case key == "type" && b == '"':
			at := c.at
			if t.kind, err = c.str("the model's type"); err == nil && !slices.Contains(kinds, t.kind) {
				return c.fail(at, "the model's type is %q; known: %s%s", t.kind, strings.Join(kinds, ", "), didYouMean(t.kind, slices.Values(kinds)))
			}
			return err
		case key == "vocab" && b == '[':
			t.marks.vocab = c.at
			return t.readPieces(c)
		case key == "vocab":
			t.marks.vocab = c.at
			return t.readWords(c)
		case key == "merges" && b == '[':
			t.marks.merges = c.at
		case key == "continuing_subword_prefix" && b == '"':
			t.prefix, err = c.str(key)
			return err
		}
		return c.skip()
	})
	if err != nil {
		return err
	}
	if t.marks.vocab == 0 {
		return c.fail(start, "the model has no vocab; download the file again")
	}
	if t.kind == "" {
		switch {
		case keys["merges"]:
			t.kind = "BPE"
		case keys["unk_id"]:
			t.kind = "Unigram"
		case keys["continuing_subword_prefix"]:
			t.kind = "WordPiece"
		default:
			t.kind = "WordLevel"
		}
	}
	return nil
}

// readWords reads a vocabulary of the form {token: id}.
func (t *Tokenizer) readWords(c *cursor) error {
	t.tokens = make(map[string]int, (len(c.text)-c.at)/64)
	return c.object("the vocabulary", func(text string, at int) error {
		if other, ok := t.tokens[text]; ok {
			return c.fail(at, "the token %q stands twice in the vocabulary, first with id %d; remove one", text, other)
		}
		id, err := c.id("the token's id")
		t.tokens[text] = id
		return err
	})
}

// readPieces reads a vocabulary of the form [[token, score], ...], where the id is
// the place. Of a token that stands twice the last counts, as in tokenizers.
func (t *Tokenizer) readPieces(c *cursor) error {
	return c.list("the vocabulary", func() error {
		text, at, n := "", 0, 0
		err := c.list("a piece of the vocabulary", func() (err error) {
			if n++; n == 1 {
				c.peek()
				at = c.at
				text, err = c.str("a piece")
				return err
			}
			return c.skip()
		})
		if err != nil {
			return err
		}
		if n != 2 {
			return c.fail(at, "a piece of the vocabulary is a token and its score, not %d values", n)
		}
		if _, ok := t.tokens[text]; ok {
			t.twice = text
		}
		t.tokens[text] = t.next
		t.next++
		return nil
	})
}
