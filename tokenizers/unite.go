package tokenizers

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Model is a model whose vocabulary takes part in a merge.
type Model struct {
	Name      string
	Tokenizer *Tokenizer
	// Rows is the first dimension of the model's embedding.
	Rows int
}

// Request says what vocabulary the output of a merge has.
type Request struct {
	// Models are those whose rows are read, the base among them.
	Models []Model
	// Base is the name of the base model, "" if there is none.
	Base string
	// Source is "union", "base" or a model's name.
	Source string
	// Tokens are told one by one; those that the vocabulary lacks are added to it in
	// this order.
	Tokens []Override
	// PadToMultipleOf, if positive, rounds the rows up to its multiple.
	PadToMultipleOf int
	// KeepPadding gives the output the rows of the models, where all have the same
	// number and it is more than the vocabulary needs: models that share a padded
	// vocabulary keep its size, and rows without a token stay each model's own.
	// mergekit drops them.
	KeepPadding bool
}

// Override says what one token's row is: exactly one of a model's row of it, zeros
// and a model's row of another token, or, without Force, none of these for the
// default.
type Override struct {
	Text string
	// Model has the row of the token.
	Model string
	// Zero is a row of zeros.
	Zero bool
	// OtherModel has the row of another token: of the text Other or, where that is
	// empty, of the id OtherID, which may be a padding row's.
	OtherModel string
	Other      string
	OtherID    int
	// Force gives every model this row, those too that have the token.
	Force bool
}

// Union is the vocabulary of an output, and where its rows come from.
type Union struct {
	// Files are all files of the output's tokenizer, by name, of [FileNames]. Those
	// that did not change are the donor's bytes.
	Files map[string][]byte
	// IDs are the output's tokens and their ids.
	IDs map[string]int
	// Vocabulary is the number of rows that the tokens need, Padded that of all.
	Vocabulary, Padded int
	// Rows are, for every model of the request, what each of the Padded rows is made
	// of.
	Rows [][]Row
	// Notes are lines for the user about what may surprise.
	Notes []string
}

// A Row is the mean of the rows that it names: of one its copy, of none zeros.
type Row struct{ Of []Ref }

// A Ref is row Row of the embedding of the model at index Model of a request, or
// [MeanRow].
type Ref struct{ Model, Row int }

// MeanRow, as [Ref.Row], is the mean of the first [Union.Vocabulary] rows of the
// new table of the model.
const MeanRow = -1

// Unite makes the vocabulary of a merge.
//
// The donor is the base, or the first model without one, for "base" and "union",
// else the named model. "union" keeps the donor's ids and appends what the others
// have, in the order of the models and of their ids: first the tokens of their
// vocabularies, then those that some model has as an added token. All are
// appended as added tokens, hence matched in a text as a whole; merges stay the
// donor's. A token has the flags of the first model that has it as an added token,
// the donor before all.
//
// A model reads its own row for a token that it has. For one that it lacks it
// reads what an [Override] says, else the base's row, else the mean of the rows of
// all models that have one, else zeros. A token whose id lies beyond a model's
// rows is one that the model lacks; the donor's own such tokens leave the output's
// vocabulary, save, in a union, those that its settings name (pad_token), which
// are appended again. Padding rows are [MeanRow].
//
// It differs from mergekit 0.1.5 in this: mergekit appends in an order that
// changes from run to run; so does the model whose flags it gives a token that is
// no added one of the donor's, where the others disagree. It cuts a donor's tokens
// for BPE alone and by config.json's vocab_size, fails for a model other than the
// donor that has a token beyond its rows, and fails for an override that adds a
// token without "union".
//
// Errors name the model and the token, with the nearest known name; all that are
// wrong in a request are reported together.
func Unite(req Request) (*Union, error) {
	u, err := newUniting(req)
	if err != nil {
		return nil, err
	}
	if err := u.vocabulary(); err != nil {
		return nil, err
	}
	out := &Union{IDs: u.ids, Vocabulary: u.size, Padded: u.padded(), Notes: u.notes}
	out.Rows = u.rows(out.Padded)
	out.Files, err = u.files()
	return out, err
}

// uniting is a vocabulary in the making.
type uniting struct {
	Request
	base      int // of Models, -1 for none
	donor     int
	overrides map[string]*Override

	ids      map[string]int
	size     int            // the highest id + 1
	added    []Added        // of the output, by id
	appended map[string]int // ids of the tokens that the donor's files lack
	dropped  map[string]int // the donor's tokens beyond its rows, and their ids there
	notes    []string
}

func newUniting(req Request) (*uniting, error) {
	u := &uniting{Request: req, base: -1, donor: -1, overrides: map[string]*Override{}, appended: map[string]int{}, dropped: map[string]int{}}
	var problems []error
	refuse := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if len(req.Models) == 0 {
		return nil, errors.New("no models to take a vocabulary from")
	}
	for i, m := range req.Models {
		switch {
		case slices.ContainsFunc(req.Models[:i], func(o Model) bool { return o.Name == m.Name }):
			refuse("model %s is listed twice", m.Name)
		case m.Tokenizer == nil:
			refuse("model %s has no tokenizer, which the recipe's tokenizer needs", m.Name)
		case m.Rows <= 0:
			refuse("model %s has an embedding of %d rows", m.Name, m.Rows)
		}
	}
	if req.Base != "" {
		if u.base = u.index(req.Base); u.base < 0 {
			refuse("base model %s is none of the models: %s", req.Base, u.known(req.Base))
		}
	}
	switch u.donor = max(u.base, 0); req.Source {
	case "union":
	case "base":
		if req.Base == "" {
			refuse("the tokenizer is the base's, and there is no base_model; name a model or union")
		}
	default:
		if u.donor = u.index(req.Source); u.donor < 0 {
			refuse("tokenizer source %q is no model of this merge: union, base, %s", req.Source, u.known(req.Source, "union", "base"))
		}
	}
	if req.PadToMultipleOf < 0 || req.PadToMultipleOf > maxPad {
		refuse("pad_to_multiple_of is %d, and must be from 1 to %d", req.PadToMultipleOf, maxPad)
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	for i := range req.Tokens {
		o := &req.Tokens[i]
		if u.overrides[o.Text] != nil {
			refuse("token %q is listed twice", o.Text)
		} else if err := u.check(o); err != nil {
			refuse("token %q: %w", o.Text, err)
		}
		u.overrides[o.Text] = o
	}
	return u, errors.Join(problems...)
}

// maxPad bounds what the rows may be a multiple of.
const maxPad = 1 << 20

func (u *uniting) index(name string) int {
	return slices.IndexFunc(u.Models, func(m Model) bool { return m.Name == name })
}

func (u *uniting) known(name string, others ...string) string {
	list := others
	for _, m := range u.Models {
		list = append(list, m.Name)
	}
	return strings.Join(list[len(others):], ", ") + didYouMean(name, slices.Values(list))
}

// check finds what is wrong with an override.
func (u *uniting) check(o *Override) error {
	kinds := 0
	for _, set := range []bool{o.Model != "", o.Zero, o.OtherModel != ""} {
		if set {
			kinds++
		}
	}
	anyone := slices.ContainsFunc(u.Models, func(m Model) bool { return m.has(o.Text) })
	switch {
	case o.Text == "":
		return errors.New("an empty token has no row")
	case kinds > 1:
		return errors.New("has several sources; give one: a model, zero, or another token of a model")
	case kinds == 0 && o.Force:
		return errors.New("is forced, and has no source; name a model, zero, or another token of a model")
	case kinds == 0 && !anyone:
		return errors.New("no model has it, so it needs a source: zero, or another token of a model" + didYouMean(o.Text, u.texts()))
	case kinds == 0 || o.Zero:
		return nil
	}
	name, text := o.Model, o.Text
	if o.OtherModel != "" {
		name, text = o.OtherModel, o.Other
	}
	i := u.index(name)
	if i < 0 {
		return fmt.Errorf("its source is %s, which is no model of this merge: %s", name, u.known(name))
	}
	m := u.Models[i]
	id, ok := m.Tokenizer.tokens[text]
	switch {
	case o.OtherModel != "" && text == "":
		if o.OtherID < 0 || o.OtherID >= m.Rows {
			return fmt.Errorf("token id %d is not one of model %s, whose embedding has rows 0 to %d", o.OtherID, name, m.Rows-1)
		}
	case !ok:
		return fmt.Errorf("model %s has no token %q%s", name, text, didYouMean(text, m.texts()))
	case id >= m.Rows:
		return fmt.Errorf("token %q of model %s has id %d, and the embedding only %d rows", text, name, id, m.Rows)
	}
	return nil
}

// row returns where a model's embedding has a token's row.
func (m Model) row(text string) (int, bool) {
	id, ok := m.Tokenizer.tokens[text]
	return id, ok && id < m.Rows
}

func (m Model) has(text string) bool {
	_, ok := m.row(text)
	return ok
}

// texts are the tokens that have rows, in no order.
func (m Model) texts() iter.Seq[string] {
	return func(yield func(string) bool) {
		for text, id := range m.Tokenizer.tokens {
			if id < m.Rows && !yield(text) {
				return
			}
		}
	}
}

func (u *uniting) texts() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, m := range u.Models {
			for text := range m.texts() {
				if !yield(text) {
					return
				}
			}
		}
	}
}
