package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"

	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/modeldir"
	"github.com/mergevo/mergevo/recipes"
)

// files are what the output holds besides its tensors: the donor's configuration,
// told what changed, its tokenizer or the recipe's own, the card and the recipe, if there
// is one.
func (m *merging) files(ctx context.Context, out string, recipe []byte) (files []modeldir.File, notes []string, err error) {
	donor := m.opened.donor()
	config, notes, err := donor.folder.Edit(m.edits())
	if err != nil {
		return nil, nil, err
	}
	if config != nil {
		files = append(files, modeldir.File{Name: "config.json", Data: config})
	}
	for _, name := range donor.folder.Files() {
		data, err := os.ReadFile(filepath.Join(donor.folder.Dir(), name))
		if err != nil {
			return nil, nil, plainPath(err)
		}
		files = append(files, modeldir.File{Name: name, Data: data})
	}
	if files, err = m.opened.tokenizerFiles(files); err != nil {
		return nil, nil, err
	}
	files = put(files, modeldir.File{Name: "README.md", Data: m.card(out, recipe, config != nil)})
	if recipe == nil {
		return files, notes, nil
	}
	return put(files, modeldir.File{Name: "mergevo_recipe.yaml", Data: recipe}), notes, nil
}

// put adds a file, or replaces the one of its name.
func put(files []modeldir.File, f modeldir.File) []modeldir.File {
	if i := slices.IndexFunc(files, func(g modeldir.File) bool { return g.Name == f.Name }); i >= 0 {
		files[i] = f
		return files
	}
	return append(files, f)
}

// edits are what config.json must be told of the merge.
func (m *merging) edits() modeldir.Edits {
	donor := m.opened.donor()
	e := modeldir.Edits{DType: m.spec.DType, Vocabulary: m.opened.vocabularyRows()}
	for prefix, from := range m.opened.layout.Layers {
		if len(from) > len(e.Layers) { // of several networks, the deepest is counted in config.json
			e.Layers, e.DonorLayers = from, recipes.Depths(donor.source.Tensors())[prefix]
		}
	}
	head, embedding := false, false
	for _, t := range merge.Layout(m.spec, m.opened.parents) {
		head = head || named(t, headNames)
		embedding = embedding || named(t, embeddingNames)
	}
	switch {
	case head:
		e.Head = modeldir.HeadOwn
	case embedding:
		e.Head = modeldir.HeadNone
	}
	return e
}

// card is the output's README.md.
func (m *merging) card(out string, recipe []byte, transformers bool) []byte {
	c := modeldir.CardInput{
		Title: filepath.Base(out), Transformers: transformers,
		Method: m.spec.Method.Name, Doc: m.spec.Method.Doc, Cite: m.spec.Method.Cite,
		Recipe: recipe, Args: m.args, Version: fullVersion(),
	}
	for _, p := range m.opened.listed() {
		hub := p.at.hub.String()
		if p.lora.hub.ID != "" {
			hub += "+" + p.lora.hub.String()
		}
		c.Parents = append(c.Parents, modeldir.Parent{Name: p.ref, Hub: hub, Base: p.ref == m.opened.recipe.Base(), States: p.folder.Statement()})
	}
	return modeldir.Card(c)
}
