package tokenizers

import "slices"

// Added is a token that is matched in a text as a whole, before the model that
// splits the rest sees it.
type Added struct {
	Text string
	ID   int
	// SingleWord matches only between spaces and punctuation; LStrip and RStrip take
	// the space before and after along.
	SingleWord, LStrip, RStrip bool
	// Normalized matches in the normalised text.
	Normalized bool
	// Special is left out when text is decoded for reading.
	Special bool

	word bool // the model that splits texts has it too
}

// add gives a token its id by the rule of Hugging Face's tokenizers: the one it
// has, else the next after the vocabulary of the model and the added tokens so
// far, whatever the file says. The flags are those given last.
func (t *Tokenizer) add(a Added) {
	if a.Text == "" {
		return
	}
	id, known := t.tokens[a.Text]
	if !known {
		id = t.next
		t.tokens[a.Text] = id
		t.size++
	}
	a.ID, a.word = id, known
	t.next = max(t.next, id+1)
	if i, ok := t.place[a.Text]; ok {
		a.word = t.added[i].word
		t.added[i] = a
		return
	}
	t.place[a.Text] = len(t.added)
	t.added = append(t.added, a)
}

// Added returns the added tokens, those of the files first, then those that only
// the settings name; transformers adds these when it loads the folder.
func (t *Tokenizer) Added() []Added { return slices.Clone(t.added) }

// addImplied adds what lies beside tokenizer.json, in the order of transformers
// 5: added_tokens_decoder, or where tokenizer_config.json has none
// added_tokens.json and special_tokens_map.json, and last the special tokens.
func (t *Tokenizer) addImplied(s *settings) {
	for _, a := range s.decoder {
		if _, ok := t.tokens[a.Text]; !ok {
			t.add(a)
		}
	}
	for _, a := range s.legacy {
		if _, ok := t.tokens[a.Text]; !ok {
			a.Special = slices.ContainsFunc(s.named, func(n named) bool { return n.text == a.Text })
			a.Normalized = !a.Special
			t.add(a)
		}
	}
	for _, n := range s.named {
		if _, ok := t.place[n.text]; !ok {
			t.add(Added{Text: n.text, Special: true})
		}
	}
}
