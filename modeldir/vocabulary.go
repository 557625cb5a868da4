package modeldir

import "fmt"

// Vocabulary returns the rows that config.json says the token embedding has, false
// where it does not say.
func (f *Folder) Vocabulary() (rows int, ok bool) {
	rows, _, ok = f.vocabulary()
	return rows, ok
}

func (f *Folder) vocabulary() (rows int, label string, ok bool) {
	if f.config == nil {
		return 0, "", false
	}
	for _, s := range f.config.language() {
		if n, ok := f.config.whole(s.get("vocab_size")); ok {
			return n, s.label("vocab_size"), true
		}
	}
	return 0, "", false
}

// TiesHead reports whether config.json says that the output matrix is the embedding.
func (f *Folder) TiesHead() bool {
	if f.config == nil {
		return false
	}
	for _, s := range f.config.language() {
		if v := s.get("tie_word_embeddings"); v != nil {
			return v.is('t')
		}
	}
	return false
}

// PaddedVocabulary compares the rows of the embedding written with what
// config.json says and with the tokenizer's entries, 0 where their number is not
// known. It returns a line for each thing worth saying: padding is kept, so that
// the output loads wherever its parents did.
func (f *Folder) PaddedVocabulary(rows, tokens int) []string {
	var lines []string
	if n, label, ok := f.vocabulary(); ok && n != rows {
		lines = append(lines, fmt.Sprintf("config.json: %s is %d, and the embedding written has %d rows; the output says %d", label, n, rows, rows))
	}
	switch {
	case tokens > rows:
		lines = append(lines, fmt.Sprintf("the tokenizer has %d entries and the embedding %d rows: the last %d entries have none", tokens, rows, tokens-rows))
	case tokens > 0 && tokens < rows:
		lines = append(lines, fmt.Sprintf("padded vocabulary kept: %d rows for %d entries of the tokenizer", rows, tokens))
	}
	return lines
}
