package tokenizers

// kept is the number of rows that all models have, 0 where padding is not kept.
func (u *uniting) kept() int {
	if !u.KeepPadding {
		return 0
	}
	for _, m := range u.Models {
		if m.Rows != u.Models[0].Rows {
			return 0
		}
	}
	return u.Models[0].Rows
}

// padded is the number of rows of the output.
func (u *uniting) padded() int {
	n := max(u.size, u.kept())
	if by := u.PadToMultipleOf; by > 0 {
		n = (n + by - 1) / by * by
	}
	return n
}

// rows says what every model puts into the rows of the output.
func (u *uniting) rows(padded int) [][]Row {
	texts := make([]string, u.size) // of several tokens with one id the first by text, "" for none
	for text, id := range u.ids {
		if texts[id] == "" || text < texts[id] {
			texts[id] = text
		}
	}
	tables := make([][]Row, len(u.Models))
	for k, m := range u.Models {
		table := make([]Row, padded)
		refs := make([]Ref, padded) // one allocation for the many rows that name one
		one := func(i int, r Ref) {
			refs[i] = r
			table[i].Of = refs[i : i+1 : i+1]
		}
		for i, text := range texts {
			o := u.overrides[text]
			id, has := m.row(text)
			switch {
			case text == "": // an id that no token has
			case o != nil && o.tells() && (o.Force || !has):
				if r, ok := u.told(o); ok {
					one(i, r)
				}
			case has:
				one(i, Ref{k, id})
			default:
				table[i].Of = u.lacking(text)
			}
		}
		for i := u.size; i < padded; i++ {
			one(i, Ref{k, MeanRow})
		}
		for _, i := range u.spare(m, texts) {
			one(i, Ref{k, i})
		}
		tables[k] = table
	}
	return tables
}

// spare lists the rows of a padded vocabulary that no token of the model or of the
// output has.
func (u *uniting) spare(m Model, texts []string) (list []int) {
	kept := u.kept()
	if kept == 0 {
		return nil
	}
	used := make([]bool, kept)
	for _, id := range m.Tokenizer.tokens {
		if id < kept {
			used[id] = true
		}
	}
	for i := range kept {
		if !used[i] && (i >= len(texts) || texts[i] == "") {
			list = append(list, i)
		}
	}
	return list
}

// tells reports whether the override has a source.
func (o *Override) tells() bool { return o.Model != "" || o.Zero || o.OtherModel != "" }

// told is the row that an override names, false for zeros.
func (u *uniting) told(o *Override) (Ref, bool) {
	switch {
	case o.Zero:
		return Ref{}, false
	case o.Model != "":
		i := u.index(o.Model)
		return Ref{i, u.Models[i].Tokenizer.tokens[o.Text]}, true
	}
	i := u.index(o.OtherModel)
	if o.Other == "" {
		return Ref{i, o.OtherID}, true
	}
	return Ref{i, u.Models[i].Tokenizer.tokens[o.Other]}, true
}

// lacking is what a model reads for a token that it has no row for.
func (u *uniting) lacking(text string) (of []Ref) {
	if u.base >= 0 {
		if id, ok := u.Models[u.base].row(text); ok {
			return []Ref{{u.base, id}}
		}
	}
	for i, m := range u.Models {
		if id, ok := m.row(text); ok {
			of = append(of, Ref{i, id})
		}
	}
	return of
}
