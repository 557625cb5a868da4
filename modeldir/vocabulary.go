package modeldir

import "fmt"

// PaddedVocabulary compares the rows of the embedding written with what
// config.json says and with the tokenizer's entries, 0 where their number is not
// known. It returns a line for each thing worth saying: padding is kept, so that
// the output loads wherever its parents did.
func (f *Folder) PaddedVocabulary(rows, tokens int) []string {
	var lines []string
	if f.config != nil {
		for _, s := range f.config.language() {
			if n, ok := f.config.whole(s.get("vocab_size")); ok {
				if n != rows {
					lines = append(lines, fmt.Sprintf("config.json: %s is %d, and the embedding written has %d rows; the output says %d", s.label("vocab_size"), n, rows, rows))
				}
				break
			}
		}
	}
	switch {
	case tokens > rows:
		lines = append(lines, fmt.Sprintf("the tokenizer has %d entries and the embedding %d rows: the last %d entries have none", tokens, rows, tokens-rows))
	case tokens > 0 && tokens < rows:
		lines = append(lines, fmt.Sprintf("padded vocabulary kept: %d rows for %d entries of the tokenizer", rows, tokens))
	}
	return lines
}
