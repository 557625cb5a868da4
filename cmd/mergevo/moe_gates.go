package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/experts"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tokenizers/encode"
)

// prompting makes gates of prompts.
type prompting struct {
	m     *mixing
	tok   *encode.Tokenizer
	bos   []int
	table tensors.Info // the embedding
	// of lists all prompts, each once; texts are their tokens' embeddings, [T, width].
	of    []string
	texts [][]float32
}

// makeGates makes the gates that the file asks for.
func (m *mixing) makeGates(c *cobra.Command, backend string) error {
	mode := m.file.Mode()
	if !mode.Prompts {
		m.gates = m.mixture.Random(mode.Name == "uniform_random")
		if m.file.Shared == nil {
			m.gates.Shared = nil
		}
		return nil
	}
	p, err := m.prompts()
	if err != nil {
		return err
	}
	// A prompt's vector in each layer, [prompt][layer][width].
	vectors := make([][][]float64, len(p.of))
	if mode.Hidden {
		err = p.hidden(c, backend, mode.Name == "hidden_avg", vectors)
	} else {
		err = p.embedded(vectors)
	}
	if err != nil {
		return err
	}
	for l := range m.mixture.Layers {
		var rows [][]float32
		for _, x := range m.file.Experts {
			rows = append(rows, p.row(x, l, vectors, mode.Hidden))
		}
		m.gates.Experts = append(m.gates.Experts, rows)
		if m.file.Shared != nil {
			m.gates.Shared = append(m.gates.Shared, p.row(*m.file.Shared, l, vectors, mode.Hidden))
		}
	}
	return nil
}

// prompts tokenizes every prompt, the beginning of a text before it, and looks its
// tokens up.
func (m *mixing) prompts() (*prompting, error) {
	base := m.base()
	tok, err := encode.Load(base.folder.Dir())
	if err != nil {
		return nil, fmt.Errorf("the base's tokenizer: %w", err)
	}
	p := &prompting{m: m, tok: tok}
	if bos, ok := tok.Vocabulary().Named("bos_token"); ok {
		if id, ok := tok.ID(bos); ok {
			p.bos = []int{id}
		}
	}
	for _, t := range base.source.Tensors() {
		if named(t, embeddingNames) {
			p.table = t
		}
	}
	if p.table.Name == "" {
		return nil, fmt.Errorf("%s has no token embedding", m.file.Base)
	}
	all := m.file.Experts
	if m.file.Shared != nil {
		all = append(slices.Clone(all), *m.file.Shared)
	}
	for _, x := range all {
		for _, text := range slices.Concat(x.Positive, x.Negative) {
			if slices.Contains(p.of, text) {
				continue
			}
			vectors, err := p.look(text)
			if err != nil {
				return nil, err
			}
			p.of, p.texts = append(p.of, text), append(p.texts, vectors)
		}
	}
	return p, nil
}

// look returns the embeddings of a prompt's tokens.
func (p *prompting) look(text string) ([]float32, error) {
	ids := append(slices.Clone(p.bos), p.tok.Plain(text)...)
	if len(ids) == 0 {
		return nil, fmt.Errorf("the prompt %q has no token", text)
	}
	width := p.table.Shape[1]
	out := make([]float32, len(ids)*width)
	for i, id := range ids {
		if id >= p.table.Shape[0] {
			return nil, fmt.Errorf("the prompt %.60q: token %d is outside the embedding's %d rows", text, id, p.table.Shape[0])
		}
		if err := p.m.base().source.ReadAt(out[i*width:(i+1)*width], p.table.Name, id*width); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// hidden fills in what each layer of the base reads of each prompt: of its last token,
// or of all on average.
func (p *prompting) hidden(c *cobra.Command, backend string, average bool, vectors [][][]float64) error {
	base := p.m.base()
	model, err := models.Load(base.folder.Dir(), base.source.Tensors())
	if err == nil {
		err = model.Check(base.source.Tensors())
	}
	if err != nil {
		return fmt.Errorf("%s: running the prompts: %w", p.m.file.Base, err)
	}
	for i, x := range p.texts {
		if n := len(x) / model.Text.Width; model.Text.Positions > 0 && n > model.Text.Positions {
			return fmt.Errorf("the prompt %.60q has %d tokens, and %s takes %d", p.of[i], n, p.m.file.Base, model.Text.Positions)
		}
	}
	b, err := openBackend(c, backend)
	if err != nil {
		return err
	}
	progress := newBar(c.ErrOrStderr(), int64(p.m.mixture.Layers), 0, func(n int64) string { return fmt.Sprint(n, " layers") }, false)
	defer progress.finish()
	return evaluate.States(c.Context(), b.Backend, model, base.source, p.texts, func(layer, text int, x []float32) error {
		width := p.m.mixture.Width
		first := len(x) - width
		if average {
			first = 0
		}
		vectors[text] = append(vectors[text], mean(x[first:], width))
		progress.set(int64(layer), "gates")
		return context.Cause(c.Context())
	})
}

// embedded fills in the sum of each prompt's embeddings, the same in all layers.
func (p *prompting) embedded(vectors [][][]float64) error {
	for i, x := range p.texts {
		width := p.m.mixture.Width
		sum := mean(x, width)
		for j := range sum {
			sum[j] *= float64(len(x) / width)
		}
		for range p.m.mixture.Layers {
			vectors[i] = append(vectors[i], sum)
		}
	}
	return nil
}

// mean is the average of vectors of a width.
func mean(x []float32, width int) []float64 {
	out := make([]float64, width)
	for i, v := range x {
		out[i%width] += float64(v)
	}
	for i := range out {
		out[i] /= float64(len(x) / width)
	}
	return out
}

// row is an expert's row of a layer's gate: the average of its positive prompts less
// that of its negative ones, in length 1. Sums of embeddings are brought to length 1
// before one is taken from the other, as mergekit does.
func (p *prompting) row(x recipes.Expert, layer int, vectors [][][]float64, average bool) []float32 {
	sum := func(prompts []string) []float64 {
		out := make([]float64, p.m.mixture.Width)
		for _, text := range prompts {
			for i, v := range vectors[slices.Index(p.of, text)][layer] {
				out[i] += v / float64(len(prompts))
			}
		}
		if !average {
			for i, v := range experts.Unit(out) {
				out[i] = float64(v)
			}
		}
		return out
	}
	out := sum(x.Positive)
	if len(x.Negative) > 0 {
		for i, v := range sum(x.Negative) {
			out[i] -= v
		}
	}
	return experts.Unit(out)
}
