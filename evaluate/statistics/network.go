package statistics

import (
	"fmt"

	"github.com/gomlx/compute"
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
	if m.Image != nil {
		return nil, fmt.Errorf("statistics of a model of type %s are not measured; of sequential models and of those that read texts they are", m.Type)
	}
	n := &Network{backend: b, model: m}
	for _, t := range m.Tensors {
		x := make([]float32, t.Len())
		if err := from.ReadAt(x, t.Name, 0); err != nil {
			n.Finalize()
			return nil, err
		}
		for i, v := range x {
			if v-v != 0 {
				n.Finalize()
				return nil, fmt.Errorf("%s: %s holds %g at index %d", from.Path(), t.Name, v, i)
			}
		}
		n.weights = append(n.weights, gmlx.FromFlatDataAndDimensions(x, t.Shape...))
	}
	return n, nil
}

// Finalize frees the weights.
func (n *Network) Finalize() { finalize(n.weights) }

func finalize(list []*gmlx.Tensor) {
	for _, t := range list {
		_ = t.FinalizeAll()
	}
}

// named gives weights by name as the model's graph wants them: those of images with an
// axis for a population of one.
func (n *Network) named(list []*graph.Node) models.Weights {
	by := map[string]*graph.Node{}
	for i, t := range n.model.Tensors {
		by[t.Name] = list[i]
		if n.model.Text == nil {
			by[t.Name] = graph.InsertAxes(list[i], 0)
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
	x = graph.ConvertDType(x, n.weights[0].DType())
	if n.model.DivideBy != 1 {
		x = graph.DivScalar(x, n.model.DivideBy)
	}
	return x
}

// uploaded is raw bytes of a type on the device.
func (n *Network) uploaded(s shapes.Shape, raw []byte) (*gmlx.Tensor, error) {
	return gmlx.FromRaw(n.backend, 0, s, raw)
}
