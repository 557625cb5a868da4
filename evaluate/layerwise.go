package evaluate

import (
	"context"
	"fmt"

	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/merge"
)

// Layered reports whether a model can score examples of the datasets while one layer of
// it is held: its layers are alike, and no task writes tokens one by one, each of which
// takes all layers.
func Layered(m *models.Model, sets []*Dataset) bool {
	return Stackable(m) == nil && !Writes(sets)
}

// OneLayer are the names of the weights that a layered model is held by at a time.
func OneLayer(m *models.Model) []string {
	outer, layer := byLayer(m)
	return append(outer, layer...)
}

// vectorBudget bounds, in bytes, what is kept between two layers of the examples that go
// through a candidate together.
var vectorBudget int64 = activationBudget

// vectorBytes is what a call keeps between two layers.
func vectorBytes(m *models.Text, rows, length int) int64 {
	return 4 * int64(rows) * int64(length) * int64(m.Width)
}

// waves are the calls that go through a candidate together: as many as keep their vectors
// within the budget, one at least.
func (d *Texts) waves() (out [][]call) {
	var kept int64
	for _, c := range d.calls {
		n := vectorBytes(d.model.Text, c.rows, c.length)
		if len(out) == 0 || kept+n > vectorBudget {
			out, kept = append(out, nil), 0
		}
		last := &out[len(out)-1]
		*last, kept = append(*last, c), kept+n
	}
	return out
}

// layerwise scores a candidate of which no more than a layer is held beside what lies
// outside layers. Each wave of calls merges the layers anew.
func (d *Texts) layerwise(ctx context.Context, s *merge.Spec, a *answers) (failed, err error) {
	outer := &taker{on: &d.single, spec: s}
	defer outer.free()
	list, ok := outer.take(ctx, d.outer)
	if !ok {
		return outer.failed, outer.err
	}
	w := &weights{list: list}
	for _, wave := range d.waves() {
		if failed, err = d.wave(ctx, s, w, wave, a); failed != nil || err != nil {
			return failed, err
		}
	}
	return nil, nil
}

// wave lets calls go through a candidate's layers together; w has what lies outside them.
func (d *Texts) wave(ctx context.Context, s *merge.Spec, w *weights, calls []call, a *answers) (failed, err error) {
	vectors := make([]*gmlx.Tensor, len(calls))
	defer func() {
		for _, x := range vectors {
			if x != nil {
				_ = x.FinalizeAll()
			}
		}
	}()
	for i, c := range calls {
		if vectors[i], err = d.begin(c.args[0], w); err != nil {
			return nil, err
		}
	}
	for i := range d.pop.Layers(s, d.model.Text.Blocks.Prefix) {
		layer := &taker{on: &d.single, spec: s}
		weights, ok := layer.take(ctx, d.namesOf(i))
		for j := 0; ok && j < len(calls) && err == nil; j++ {
			x := vectors[j]
			vectors[j] = nil // freed by the step
			vectors[j], err = d.step(calls[j], x, weights)
		}
		layer.free()
		if !ok {
			return layer.failed, layer.err
		}
		if err != nil {
			return nil, err
		}
	}
	for i, c := range calls {
		x := vectors[i]
		vectors[i] = nil
		out, err := d.end(c, x, w)
		if err != nil {
			return nil, err
		}
		err = a.read(c, out)
		finalize(out)
		if err != nil {
			return nil, fmt.Errorf("reading scores: %w", err)
		}
	}
	return nil, nil
}
