package merge

import (
	"context"
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/tensors"
)

// Onto is a model that merged adapters are put on: merges are then of adapters' factors,
// and what [Population.Tensor] gives are the model's tensors with a merged adapter added.
type Onto struct {
	Model tensors.Source
	// Products says what is added to the model's tensors, by name; the factors are the
	// merge's tensors.
	Products map[string]*tensors.Product
}

// On puts all that is merged from now on onto a model.
func (pop *Population) On(o *Onto) { pop.onto = o }

// added is a tensor of the model that merged adapters are put on, the adapter's product
// added to it and rounded to the model's type as a view of both reads it.
func (pop *Population) added(ctx context.Context, s *Spec, name string, wide bool) (x *gmlx.Tensor, own bool, failed, err error) {
	h, err := pop.stock.hold(pop.onto.Model, name)
	if err != nil {
		return nil, false, nil, err
	}
	p := pop.onto.Products[name]
	if p == nil && h.add == nil && !wide {
		return h.tensors[0], false, nil, nil
	}
	var made []*gmlx.Tensor
	defer func() {
		for _, t := range made {
			_ = t.FinalizeAll()
		}
	}()
	h.tensors, h.add, h.lengths = append([]*gmlx.Tensor{}, h.tensors...), append([]*tensors.Product{}, h.add...), append([]bool{}, h.lengths...)
	if p != nil {
		h.add, h.lengths = append(h.add, p), append(h.lengths, false)
		for _, factor := range []string{p.Left, p.Right} {
			if factor == "" {
				continue
			}
			t, own, failed, err := pop.single(ctx, s, factor, false)
			if t == nil {
				return nil, false, failed, err
			}
			if own {
				made = append(made, t)
			}
			h.tensors = append(h.tensors, t)
		}
	}
	info, _ := pop.onto.Model.Lookup(name)
	exec, err := pop.adder(h, info, wide)
	if err != nil {
		return nil, false, nil, err
	}
	var args []any
	for _, t := range h.tensors {
		args = append(args, t)
	}
	out, err := exec.Call(args...)
	if err != nil {
		return nil, false, nil, fmt.Errorf("adding to %s: %w", name, err)
	}
	return out[0], true, nil, nil
}

// adder is the graph of added, which tensors of one shape share.
func (pop *Population) adder(h held, info tensors.Info, wide bool) (*graph.Exec, error) {
	to := info.DType
	if wide {
		to = tensors.F32
	}
	key := fmt.Sprint("add ", info.Shape, to, h.likeness())
	if e := pop.mixers[key]; e != nil {
		return e, nil
	}
	d, err := deviceType(to)
	if err != nil {
		return nil, err
	}
	shape := info.Shape
	exec, err := graph.NewExec(pop.stock.backend, func(args []*graph.Node) *graph.Node {
		return graph.ConvertDType(graph.Reshape(h.read(args), shape...), d)
	})
	if err != nil {
		return nil, fmt.Errorf("preparing the sum of %s: %w", info.Name, err)
	}
	pop.mixers[key] = exec.SetMaxCache(-1)
	return exec, nil
}
