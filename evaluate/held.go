package evaluate

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tokenizers/encode"
)

// Host merges candidates on the device for who asks them with texts of their own.
type Host struct {
	texts  *Texts
	tok    *encode.Tokenizer
	tokens int
}

// NewHost returns a host of merges of a population, of models that predict tokens. plan
// says about how many tokens a device call takes.
func NewHost(pop *merge.Population, m *models.Model, tok *encode.Tokenizer, plan Plan) *Host {
	d := &Texts{single: newSingle(pop, m)}
	d.mergers.wide = true
	return &Host{d, tok, max(1, plan.Tokens)}
}

// Finalize frees the compiled graphs.
func (h *Host) Finalize() { h.texts.Finalize() }

// Calls returns how many device calls were made so far.
func (h *Host) Calls() int { return h.texts.Calls() }

// Tokenizer returns the models' tokenizer.
func (h *Host) Tokenizer() *encode.Tokenizer { return h.tok }

// Positions is the longest sequence, 0 where there is no bound.
func (h *Host) Positions() int { return h.texts.model.Text.Positions }

// Vocabulary is the number of ids.
func (h *Host) Vocabulary() int { return h.texts.model.Text.Vocabulary }

// Hold merges a candidate, whose weights stay on the device until it is let go. A
// candidate that cannot be merged is a [Failure].
func (h *Host) Hold(ctx context.Context, s *merge.Spec) (*Held, error) {
	w, failed, err := h.texts.merged(ctx, s)
	if failed != nil {
		err = &Failure{failed}
	}
	if err != nil {
		return nil, err
	}
	return &Held{host: h, weights: w}, nil
}

// Held is a candidate on the device. It answers one question at a time.
type Held struct {
	host    *Host
	weights *weights
}

// Free lets the candidate go.
func (h *Held) Free() {
	h.weights.free()
	h.weights = nil
}

// TokenScores says what a candidate expects of a sequence: the log-likelihood of each
// token, 0 for the first; the id that is likeliest behind each, and its log-likelihood.
type TokenScores struct {
	LogLik    []float32
	Next      []int32
	NextScore []float32
}

// check refuses ids that the model has no place for.
func (h *Host) check(list [][]int32, longest int) error {
	for i, ids := range list {
		if len(ids) == 0 {
			return fmt.Errorf("sequence %d is empty", i)
		}
		if longest > 0 && len(ids) > longest {
			return fmt.Errorf("sequence %d has %d tokens, the model takes %d", i, len(ids), longest)
		}
		for _, id := range ids {
			if id < 0 || int(id) >= h.Vocabulary() {
				return fmt.Errorf("sequence %d has the id %d, the model has %d", i, id, h.Vocabulary())
			}
		}
	}
	return nil
}

// Score returns what the candidate expects of sequences.
func (h *Held) Score(ctx context.Context, list [][]int32) ([]TokenScores, error) {
	d := h.host.texts
	if err := h.host.check(list, h.host.Positions()); err != nil {
		return nil, err
	}
	sequences, calls := h.calls(list, h.host.Positions())
	out := make([]TokenScores, len(list))
	for _, c := range calls {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		res, err := d.run("scored", func(args []*graph.Node) []*graph.Node {
			w := d.named(args[2:])
			return scored(d.model.Text, w, d.model.Text.Hidden(w, args[0], args[1]), args[0])
		}, c.args, h.weights.list)
		finalize(c.args)
		if err != nil {
			return nil, err
		}
		logLik, next, nextScore := gmlx.MustCopyFlatData[float32](res[0]), gmlx.MustCopyFlatData[int32](res[1]), gmlx.MustCopyFlatData[float32](res[2])
		finalize(res)
		for r, s := range c.slots {
			ids := sequences[s].IDs
			n, at := len(ids), r*c.length
			t := TokenScores{make([]float32, n), slices.Clone(next[at : at+n]), slices.Clone(nextScore[at : at+n])}
			for i := 1; i < n; i++ {
				t.LogLik[i] = logLik[at+i-1]
				if t.Next[i-1] == ids[i] { // the same number, to its last bit
					t.LogLik[i] = t.NextScore[i-1]
				}
			}
			out[s] = t
		}
	}
	return out, nil
}

// Write lets the candidate go on after prompts, greedily: at most so many tokens, up to
// the first stop or the model's own end of text.
func (h *Held) Write(ctx context.Context, prompts [][]int32, most int, stop []string) ([]string, error) {
	d := h.host.texts
	longest := h.host.Positions()
	if longest > 0 {
		longest--
	}
	if err := h.host.check(prompts, longest); err != nil {
		return nil, err
	}
	g := &Writing{MaxTokens: most, Stop: stop, tok: h.host.tok}
	sequences, calls := h.calls(prompts, longest)
	a := newAnswers(len(prompts))
	for i, c := range calls {
		err := d.write(ctx, c, sequences, g, h.weights, a)
		finalize(c.args)
		if err != nil {
			for _, rest := range calls[i+1:] {
				finalize(rest.args)
			}
			return nil, err
		}
	}
	return a.text, nil
}

// calls puts sequences into few batches, of few shapes: who asks sends some at a time,
// and each shape is compiled once.
func (h *Held) calls(list [][]int32, limit int) (sequences []Sequence, out []call) {
	var order []int
	for i, ids := range list {
		sequences, order = append(sequences, Sequence{IDs: ids}), append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(list[b]), len(list[a])) })
	for len(order) > 0 {
		b := batch{length: RoundLength(len(list[order[0]]), limit)}
		most := max(1, h.host.tokens/b.length)
		n := min(len(order), most)
		b.slots, order = order[:n], order[n:]
		for b.rows = 1; b.rows < n; b.rows *= 4 {
		}
		b.rows = max(n, min(b.rows, most))
		ids, lengths := b.ids(sequences)
		out = append(out, call{batch: b, args: []*gmlx.Tensor{gmlx.FromFlatDataAndDimensions(ids, b.rows, b.length), gmlx.FromFlatDataAndDimensions(lengths, b.rows)}})
	}
	return sequences, out
}
