package evaluate

import (
	"context"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/tensors"
)

// shortestState is the length in tokens that shorter texts are padded to; longer ones
// to the next power of two, so that texts of many lengths share few graphs.
const shortestState = 8

// States lets texts, as the vectors of their tokens [T, Width], go through a model layer
// by layer, and calls each with what a layer is about to read of a text: [T, Width],
// which it may not keep. The last call is for the last layer's input.
//
// One layer's weights are on the device at a time, in float32, whatever the model's size.
func States(ctx context.Context, b compute.Backend, m *models.Model, src tensors.Source, texts [][]float32, each func(layer, text int, x []float32) error) error {
	if err := Stackable(m); err != nil {
		return err
	}
	_, names := byLayer(m)
	exec, err := graph.NewExec(b, func(args []*graph.Node) []*graph.Node {
		return []*graph.Node{m.Text.Blocks.Layer(named(names, args[2:]), 0, args[0], args[1])}
	})
	if err != nil {
		return fmt.Errorf("preparing the layers: %w", err)
	}
	exec.SetMaxCache(-1)
	defer exec.Finalize()
	state := make([][]float32, len(texts))
	for i, x := range texts {
		state[i] = append([]float32(nil), x...)
	}
	prefix := m.Text.Blocks.Prefix
	for layer := range m.Text.Blocks.Layers {
		for i, x := range state {
			if err := each(layer, i, x); err != nil {
				return err
			}
		}
		if layer == m.Text.Blocks.Layers-1 {
			break
		}
		var weights []*gmlx.Tensor
		for _, name := range names {
			w, err := wideTensor(src, prefix+strconv.Itoa(layer)+strings.TrimPrefix(name, prefix+"0"))
			if err != nil {
				finalize(weights)
				return err
			}
			weights = append(weights, w)
		}
		for i := range state {
			if err = ctx.Err(); err == nil {
				state[i], err = throughLayer(exec, state[i], m.Text.Width, weights)
			}
			if err != nil {
				break
			}
		}
		finalize(weights)
		if err != nil {
			return err
		}
	}
	return nil
}

// throughLayer is a text's vectors behind a layer.
func throughLayer(exec *graph.Exec, x []float32, width int, weights []*gmlx.Tensor) ([]float32, error) {
	n := len(x) / width
	padded := max(shortestState, 1<<bits.Len(uint(n-1)))
	wide := make([]float32, padded*width)
	copy(wide, x)
	own := []*gmlx.Tensor{gmlx.FromFlatDataAndDimensions(wide, 1, padded, width), gmlx.FromFlatDataAndDimensions([]int32{int32(n)}, 1)}
	defer finalize(own)
	args := []any{own[0], own[1]}
	for _, w := range weights {
		args = append(args, w)
	}
	out, err := exec.Call(args...)
	if err != nil {
		return nil, fmt.Errorf("running a layer: %s", firstLine(err))
	}
	defer finalize(out)
	next := make([]float32, len(x))
	err = gmlx.ConstFlatData(out[0], func(y []float32) { copy(next, y) })
	return next, err
}

// wideTensor reads a tensor as float32.
func wideTensor(src tensors.Source, name string) (*gmlx.Tensor, error) {
	info, ok := src.Lookup(name)
	if !ok {
		return nil, fmt.Errorf("%s: %w: %q", src.Path(), tensors.ErrNoTensor, name)
	}
	x := make([]float32, info.Len())
	if err := src.ReadAt(x, name, 0); err != nil {
		return nil, err
	}
	return gmlx.FromFlatDataAndDimensions(x, info.Shape...), nil
}
