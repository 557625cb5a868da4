package statistics

import (
	"fmt"
	"runtime/debug"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/tensors"
)

// Network is a model with its weights on the device, in float32.
type Network struct {
	backend compute.Backend
	model   *models.Model
	weights []*gmlx.Tensor // as the model lists them, [shape...]
}

// Load uploads the weights that the model's graph reads.
func Load(b compute.Backend, m *models.Model, from tensors.Source) (*Network, error) {
	w, err := upload(b, from, m.Names())
	if err != nil {
		return nil, err
	}
	debug.FreeOSMemory() // what the weights went through on their way
	return &Network{b, m, w}, nil
}

// upload puts some of a model's tensors on the device, in float32, and nowhere else.
func upload(b compute.Backend, from tensors.Source, names []string) (list []*gmlx.Tensor, err error) {
	defer func() {
		if err != nil {
			finalize(list)
		}
	}()
	for _, name := range names {
		t, _ := from.Lookup(name)
		x := make([]float32, t.Len())
		if err := from.ReadAt(x, name, 0); err != nil {
			return list, err
		}
		for i, v := range x {
			if v-v != 0 {
				return list, fmt.Errorf("%s: %s holds %g at index %d", from.Path(), name, v, i)
			}
		}
		raw := make([]byte, 4*len(x))
		if err := tensors.Encode(raw, x, tensors.F32); err != nil {
			return list, err
		}
		w, err := gmlx.FromRaw(b, 0, shapes.Make(dtypes.Float32, t.Shape...), raw)
		if err != nil {
			return list, fmt.Errorf("uploading %s: %w", name, err)
		}
		list = append(list, w)
	}
	return list, nil
}

// Finalize frees the weights.
func (n *Network) Finalize() { finalize(n.weights) }

func finalize(list []*gmlx.Tensor) {
	for _, t := range list {
		_ = t.FinalizeAll()
	}
}

// named gives the network's weights by name, as the model's graph wants them.
func (n *Network) named(list []*graph.Node) models.Weights {
	return named(n.model, n.model.Names(), list)
}

// named gives weights by name as a model's graph wants them: those of chains of layers
// with an axis for a population of one.
func named(m *models.Model, names []string, list []*graph.Node) models.Weights {
	by := map[string]*graph.Node{}
	for i, name := range names {
		by[name] = list[i]
		if !m.Single() {
			by[name] = graph.InsertAxes(list[i], 0)
		}
	}
	return func(name string) *graph.Node {
		w, ok := by[name]
		if !ok {
			panic(fmt.Errorf("the model has no tensor %s", name))
		}
		return w
	}
}

// images are bytes or float32 inputs [B, Input...] as the model's graph reads them.
func (n *Network) images(x *graph.Node) *graph.Node {
	switch {
	case n.model.Image != nil && x.DType() != dtypes.Float32:
		return n.model.Image.Pixels.Normalized(x)
	case n.model.DivideBy != 1:
		return graph.DivScalar(graph.ConvertDType(x, dtypes.Float32), n.model.DivideBy)
	}
	return graph.ConvertDType(x, dtypes.Float32)
}

// uploaded is raw bytes of a type on the device.
func (n *Network) uploaded(s shapes.Shape, raw []byte) (*gmlx.Tensor, error) {
	return gmlx.FromRaw(n.backend, 0, s, raw)
}
