package evaluate

import (
	"context"
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/tokenizers/encode"
)

// Writing is how a model goes on after prompts, greedily, and what counts of it.
type Writing struct {
	// MaxTokens is the most that is written, Stop what ends it besides the model's own
	// end of text; none of Stop is part of the answer.
	MaxTokens int
	Stop      []string
	// Extract finds the answer in what is written: its first group, or all of the first
	// match; nil takes everything.
	Extract *regexp.Regexp
	// Score scores texts in the place of comparing answers, if it is not nil.
	Score func(ctx context.Context, written []Written) ([]float64, error)

	tok *encode.Tokenizer
}

// defaultTokens is the most that is written where a task says nothing.
const defaultTokens = 64

// cut ends a text at the first stop.
func (g *Writing) cut(text string) (string, bool) {
	at := -1
	for _, s := range g.Stop {
		if i := strings.Index(text, s); i >= 0 && (at < 0 || i < at) {
			at = i
		}
	}
	if at < 0 {
		return text, false
	}
	return text[:at], true
}

// answer is what counts of a text.
func (g *Writing) answer(text string) string {
	if g.Extract != nil {
		m := g.Extract.FindStringSubmatch(text)
		switch len(m) {
		case 0:
			return ""
		case 1:
			text = m[0]
		default:
			text = m[1]
		}
	}
	return strings.TrimSpace(text)
}

// Written is a text as a model wrote it: Output behind Prompt, Extracted what counts of
// it, Answer the right one, Index its place among the task's.
type Written struct {
	Index     int    `json:"index"`
	Prompt    string `json:"prompt"`
	Output    string `json:"output"`
	Extracted string `json:"extracted"`
	Answer    string `json:"answer"`
}

// written scores each example: whether its answer is right, or what a scorer says.
func (d *Dataset) written(ctx context.Context, a *answers, items []float64, predicted []int32) error {
	list := make([]Written, len(items))
	for i := range items {
		list[i] = Written{Index: i, Output: a.text[i], Extracted: d.Writing.answer(a.text[i]), Answer: d.Answers[i]}
		if same(list[i].Extracted, strings.TrimSpace(d.Answers[i])) {
			items[i] = 1
		}
		h := fnv.New32a()
		h.Write([]byte(list[i].Extracted))
		predicted[i] = int32(h.Sum32() >> 1)
	}
	if d.Writing.Score == nil {
		return nil
	}
	for i := range list {
		list[i].Prompt = d.Prompts[i]
	}
	scores, err := d.Writing.Score(ctx, list)
	copy(items, scores)
	return err
}

// write lets a candidate go on after a batch's prompts, of sequences, a token at a time.
func (d *Texts) write(ctx context.Context, c call, sequences []Sequence, g *Writing, w *weights, a *answers) error {
	size := c.length + g.MaxTokens
	if limit := d.model.Text.Positions; limit > 0 {
		size = min(size, limit)
	}
	prompt, follow := d.prompt, d.next
	if d.blocks {
		prompt, follow = d.promptLayers, d.nextLayers
	}
	id, memory, err := prompt(c, size, w)
	if err != nil {
		return err
	}
	rows := make([][]int, len(c.slots))
	ended := make([]bool, len(c.slots))
	texts := make([]string, len(c.slots))
	for n := 0; ; n++ {
		next := gmlx.MustCopyFlatData[int32](id)
		running := false
		for r := range rows {
			if ended[r] {
				continue
			}
			if id := next[r]; slices.Contains(d.model.Text.Ends, id) {
				ended[r] = true
				continue
			}
			rows[r] = append(rows[r], int(next[r]))
			texts[r], ended[r] = g.cut(g.tok.Decode(rows[r], true))
			ended[r] = ended[r] || len(rows[r]) == g.MaxTokens || len(sequences[c.slots[r]].IDs)+len(rows[r]) >= size
			running = running || !ended[r]
		}
		if !running {
			break
		}
		if err := ctx.Err(); err != nil {
			finalize(append(memory, id))
			return err
		}
		at := make([]int32, c.rows)
		for r := range at {
			at[r] = int32(min(len(sequences[c.slot(r)].IDs)+n, size-1))
		}
		place := gmlx.FromFlatDataAndDimensions(at, c.rows)
		before := append(memory, id, place)
		id, memory, err = follow(id, place, memory, w)
		finalize(before)
		if err != nil {
			return err
		}
	}
	finalize(append(memory, id))
	for r, s := range c.slots {
		a.text[s] = texts[r]
	}
	return nil
}

// prompt lets a batch's prompts go through a candidate: the likeliest next ids, and what
// is kept of the prompts.
func (d *Texts) prompt(c call, size int, w *weights) (id *gmlx.Tensor, memory []*gmlx.Tensor, err error) {
	out, err := d.run("prompt "+strconv.Itoa(size), func(args []*graph.Node) []*graph.Node {
		w := d.named(args[2:])
		last, memory := d.model.Text.Decode.Prompt(w, args[0], args[1], size)
		return append([]*graph.Node{d.likeliest(w, last)}, memory...)
	}, c.args[:2], w.list)
	if err != nil {
		return nil, nil, err
	}
	return out[0], out[1:], nil
}

// next lets one more id a prompt, at some place, go through a candidate.
func (d *Texts) next(id, place *gmlx.Tensor, old []*gmlx.Tensor, w *weights) (next *gmlx.Tensor, memory []*gmlx.Tensor, err error) {
	out, err := d.run("next", func(args []*graph.Node) []*graph.Node {
		own := 2 + 2*d.model.Text.Decode.Layers
		w := d.named(args[own:])
		last, memory := d.model.Text.Decode.Next(w, args[1], args[0], args[2:own])
		return append([]*graph.Node{d.likeliest(w, last)}, memory...)
	}, append([]*gmlx.Tensor{place, id}, old...), w.list)
	if err != nil {
		return nil, nil, err
	}
	return out[0], out[1:], nil
}

// likeliest is the id that a vector gives the largest logit, int32 [B].
func (d *Texts) likeliest(w func(string) *graph.Node, last *graph.Node) *graph.Node {
	return graph.ArgMax(d.model.Text.Logits(w, last), -1, dtypes.Int32)
}

// writing reads the settings of a task that writes.
func (t *Task) writing(tok *encode.Tokenizer, longest int) (*Writing, error) {
	g := &Writing{MaxTokens: t.MaxTokens, Stop: t.Stop, tok: tok}
	if g.MaxTokens == 0 {
		g.MaxTokens = defaultTokens
	}
	if g.MaxTokens >= longest {
		return nil, fmt.Errorf("max_tokens is %d, the model takes %d tokens with the prompt", g.MaxTokens, longest)
	}
	if t.Extract != "" {
		var err error
		if g.Extract, err = regexp.Compile(t.Extract); err != nil {
			return nil, fmt.Errorf("extract: %w", err)
		}
	}
	return g, nil
}
