package evaluate

import (
	"context"
	"time"

	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/merge"
)

// mergers make the weights that a model reads, of merges of any kind.
type mergers struct {
	pop   *merge.Population
	model *models.Model
	wide  bool // as float32, whatever type they are written in
	// single makes those of one candidate, without an axis for more.
	single bool
	kinds  map[*merge.Kind]*merge.Merger
	calls  int
	busy   time.Duration
}

// merge makes the weights of P candidates of one kind, [P, shape...], or [shape...] of a
// single one, in the order of the model's tensors. They are the caller's to free.
func (m *mergers) merge(ctx context.Context, specs []*merge.Spec) (weights []*gmlx.Tensor, errs []error, err error) {
	k := m.pop.Kind(specs[0])
	one := m.kinds[k]
	if one == nil {
		if one, err = k.Merger(m.model.Names(), merge.MergerOptions{Wide: m.wide, Single: m.single}); err != nil {
			return nil, nil, err
		}
		if m.kinds == nil {
			m.kinds = map[*merge.Kind]*merge.Merger{}
		}
		m.kinds[k] = one
	}
	calls, busy := one.Calls(), one.Busy()
	weights, errs, err = one.Merge(ctx, specs)
	m.calls, m.busy = m.calls+one.Calls()-calls, m.busy+one.Busy()-busy
	return weights, errs, err
}

func (m *mergers) finalize() {
	for _, one := range m.kinds {
		one.Finalize()
	}
}
