package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/evaluate"
)

// againstEvent is the paired difference of a model to another on the same examples.
type againstEvent struct {
	board
	Gaps map[string]*evaluate.Interval `json:"gaps"`
}

func (againstEvent) name() string { return "against" }

func (e againstEvent) text(w io.Writer) {
	e.board.text(w)
	for _, part := range e.Parts {
		if g := e.Gaps[part]; g != nil && !e.plain[part] {
			fmt.Fprintf(w, "%s: %+.2f ± %.2f points (95 %% interval, paired)\n", part, 100*g.Mean, 100*g.Half)
		} else if g != nil {
			fmt.Fprintf(w, "%s: %+.4f ± %.4f (95 %% interval, paired)\n", part, g.Mean, g.Half)
		}
	}
}

// against scores another model on an arena's examples, in its shapes, and says how far
// the first is from it. Both are scored by themselves, so that they may differ in all but
// what they are asked.
func (a *arena) against(c *cobra.Command, v *voice, one *entry, path, backend string, from *downloads, blocks bool, score func(op *opened) (*arena, error)) error {
	ctx := c.Context()
	op, spec, err := openToScore(c, v, path, backend, from)
	if err != nil {
		return err
	}
	defer op.close()
	if err := op.orders(ctx, v); err != nil {
		return err
	}
	b, err := score(op)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer b.close()
	if blocks {
		spec.Parents = op.parents
	}
	two := &entry{Name: path, spec: spec}
	if err := b.mark(ctx, []*entry{two}); err != nil {
		return err
	}
	if two.result.Err != nil {
		return fmt.Errorf("%s: %w", path, two.result.Err)
	}
	e := againstEvent{board: a.board([]*entry{one, two}, true), Gaps: map[string]*evaluate.Interval{}}
	for _, part := range parts {
		if g, ok := a.gap(part, one, two); ok {
			e.Gaps[part] = &g
		}
	}
	return v.tell(e)
}
