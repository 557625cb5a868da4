package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mergevo/mergevo/modeldir"
	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tensors/view"
	"github.com/mergevo/mergevo/tokenizers"
)

// shareVocabulary gives every model the rows of the recipe's own vocabulary, if it
// asks for one.
func (o *opened) shareVocabulary() error {
	want := o.recipe.Tokenizer
	if want == nil {
		return nil
	}
	req := tokenizers.Request{Base: o.recipe.Base(), Source: want.Source, PadToMultipleOf: want.PadTo, KeepPadding: !o.recipe.AsMergekit}
	for _, t := range want.Tokens {
		req.Tokens = append(req.Tokens, tokenizers.Override{Text: t.Text, Model: t.Model, Zero: t.Zero,
			OtherModel: t.OtherModel, Other: t.Other, OtherID: t.OtherID, Force: t.Force})
	}
	var problems []error
	for _, m := range o.models {
		t, err := m.loadTokenizer()
		if err != nil {
			problems = append(problems, fmt.Errorf("model %s: %w", m.ref, err))
			continue
		}
		rows := embeddingRows(m.source)
		if rows == 0 {
			problems = append(problems, fmt.Errorf("model %s: a tokenizer is asked for, and it has no token embedding", m.ref))
			continue
		}
		req.Models = append(req.Models, tokenizers.Model{Name: m.ref, Tokenizer: t, Rows: rows})
	}
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	var err error
	if o.vocabulary, err = tokenizers.Unite(req); err != nil {
		return fmt.Errorf("tokenizer: %w", err)
	}
	was := make([]tensors.Source, len(o.models)) // rows come from the models as they are
	for i, m := range o.models {
		was[i] = m.source
	}
	for i, m := range o.models {
		if m.source, err = o.laidOut(i, was); err != nil {
			return fmt.Errorf("model %s: %w", m.ref, err)
		}
	}
	return nil
}

func (m *model) loadTokenizer() (*tokenizers.Tokenizer, error) {
	if m.tokenizer != nil {
		return m.tokenizer, nil
	}
	return tokenizers.Load(m.folder.Dir())
}

// embeddingRows is the number of rows of a model's token embedding, 0 without one.
func embeddingRows(s tensors.Source) int { return rowsOf(s.Tensors(), embeddingNames) }

// rowsOf is the number of rows of the first matrix of such a name, 0 without one.
func rowsOf(all []tensors.Info, ends []string) int {
	for _, t := range all {
		if named(t, ends) {
			return t.Shape[0]
		}
	}
	return 0
}

// laidOut is model i with the rows of the union in its embedding and its head.
func (o *opened) laidOut(i int, was []tensors.Source) (tensors.Source, error) {
	rows := embeddingRows(was[i])
	tokens := map[string][]view.Row{}
	for _, t := range was[i].Tensors() {
		if !(named(t, embeddingNames) || named(t, headNames)) || t.Shape[0] != rows {
			continue
		}
		for _, r := range o.vocabulary.Rows[i] {
			if pads(r) {
				continue
			}
			var row view.Row
			for _, ref := range r.Of {
				row.Of = append(row.Of, view.RowRef{Source: was[ref.Model], Tensor: t.Name, Row: ref.Row})
			}
			tokens[t.Name] = append(tokens[t.Name], row)
		}
	}
	first, err := view.Rows(was[i], tokens)
	if err != nil || !slices.ContainsFunc(o.vocabulary.Rows[i], pads) {
		return first, err
	}
	// The mean that pads is over the new rows of tokens, without the spare ones kept.
	named := map[string][]view.Row{}
	for name, rows := range tokens {
		named[name] = rows[:o.vocabulary.Vocabulary]
	}
	words, err := view.Rows(was[i], named)
	if err != nil {
		return nil, err
	}
	padded := map[string][]view.Row{}
	for name := range tokens {
		next := 0
		for _, r := range o.vocabulary.Rows[i] {
			row := view.RowRef{Source: words, Tensor: name, Row: view.MeanRow}
			if !pads(r) {
				row, next = view.RowRef{Source: first, Tensor: name, Row: next}, next+1
			}
			padded[name] = append(padded[name], view.Row{Of: []view.RowRef{row}})
		}
	}
	return view.Rows(first, padded)
}

// pads reports whether a row is padding: the mean of the others.
func pads(r tokenizers.Row) bool { return len(r.Of) == 1 && r.Of[0].Row == tokenizers.MeanRow }

// vocabularyHint says what helps where vocabularies differ in size.
func (o *opened) vocabularyHint(err error) error {
	sizes := map[int]bool{}
	for _, m := range o.models {
		if rows := embeddingRows(m.source); rows > 0 {
			sizes[rows] = true
		}
	}
	if len(sizes) < 2 {
		return err
	}
	return fmt.Errorf("%w\nhint: the vocabularies have %v rows: tokenizer_source: base or union in the recipe makes them one", err, slices.Sorted(maps.Keys(sizes)))
}

// vocabularyRows is the size of the vocabulary that is written, 0 for the donor's.
func (o *opened) vocabularyRows() int {
	rows := rowsOf(o.parents.Merged(), embeddingNames)
	if told, ok := o.donor().folder.Vocabulary(); o.vocabulary == nil && (!ok || told == rows) {
		return 0
	}
	return rows
}

// oneVocabulary refuses a stack whose first layers read other tokens than its last
// ones write.
func (o *opened) oneVocabulary() error {
	in, out := rowsOf(o.parents.Merged(), embeddingNames), rowsOf(o.parents.Merged(), headNames)
	if in == 0 || out == 0 || in == out {
		return nil
	}
	return o.vocabularyHint(fmt.Errorf("the embedding would have %d rows, and the output matrix %d", in, out))
}

// misfits are what the embedding and the head that are written do not share with the
// donor's config.json and tokenizer.
func (o *opened) misfits() (lines []string) {
	donor, merged := o.donor().folder, o.parents.Merged()
	if rows := rowsOf(merged, embeddingNames); rows > 0 && o.vocabulary == nil {
		tokens := 0
		if t, err := o.donor().loadTokenizer(); err == nil {
			tokens = t.Size()
		}
		lines = donor.PaddedVocabulary(rows, tokens)
	}
	if rowsOf(merged, headNames) > 0 && donor.TiesHead() {
		lines = append(lines, "config.json ties the output matrix to the embedding, and one of its own is written; the output says tie_word_embeddings: false, so that it is read")
	}
	return lines
}

// tokenizerFiles replaces the donor's tokenizer by the recipe's own, and sets the
// chat template that it names.
func (o *opened) tokenizerFiles(files []modeldir.File) ([]modeldir.File, error) {
	if o.vocabulary != nil {
		own := tokenizers.FileNames()
		files = slices.DeleteFunc(files, func(f modeldir.File) bool { return slices.Contains(own, f.Name) })
		for _, name := range slices.Sorted(maps.Keys(o.vocabulary.Files)) {
			files = append(files, modeldir.File{Name: name, Data: o.vocabulary.Files[name]})
		}
	}
	template, err := o.chatTemplate()
	if err != nil || template == "" {
		return files, err
	}
	set, err := o.donor().folder.SetChatTemplate(template)
	if err != nil {
		return nil, err
	}
	for _, f := range set {
		files = put(files, f)
	}
	return files, nil
}

// chatTemplate is the Jinja text of the recipe's chat template, "" without one.
func (o *opened) chatTemplate() (string, error) {
	want := o.recipe.ChatTemplate
	if want == "" {
		return "", nil
	}
	if want == "auto" {
		var all []*tokenizers.Tokenizer
		for _, m := range o.models {
			if t, err := m.loadTokenizer(); err == nil {
				all = append(all, t)
			}
		}
		template, ok := tokenizers.CommonTemplate(all)
		if !ok {
			return "", errors.New("chat_template: auto takes what most models have, and none has one")
		}
		return template, nil
	}
	if template, ok := tokenizers.ChatTemplate(want); ok {
		return template, nil
	}
	if word := meant(want, tokenizers.TemplateNames()); word != "" {
		return "", usage(fmt.Errorf("chat_template %q is unknown%s", want, word))
	}
	return want, nil
}
