package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/mergevo/mergevo/tensors"
)

// sequentialConfig is the config.json of model_type "sequential": a chain of
// layers with torch's names and layouts.
type sequentialConfig struct {
	ModelType string `json:"model_type"`
	Input     struct {
		Shape    []int   `json:"shape"`
		DivideBy float64 `json:"divide_by"`
	} `json:"input"`
	Layers []json.RawMessage `json:"layers"`
}

// layer is one step: it knows its weights, its output shape, and its graph.
type layer interface {
	// shape returns the shape of an example after the layer, or why it does not fit.
	shape(in []int) ([]int, error)
	// weights lists the tensors that the layer reads.
	weights() []tensors.Info
	// flops counts the multiply-adds of an example, times two.
	flops(in, out []int) int
	// forward maps [P|1, B, in...] to [P, B, out...].
	forward(w Weights, x *graph.Node) *graph.Node
}

// layers maps an op to an empty layer for its JSON to fill.
var layers = map[string]func() layer{
	"linear":     func() layer { return &linear{} },
	"conv2d":     func() layer { return &conv2d{Stride: 1} },
	"relu":       func() layer { return &relu{} },
	"gelu":       func() layer { return &gelu{} },
	"max_pool2d": func() layer { return &maxPool2d{} },
	"flatten":    func() layer { return &flatten{} },
	"layer_norm": func() layer { return &layerNorm{Eps: 1e-5} },
}

// Ops lists the layers of a sequential model.
func Ops() []string {
	return slices.Sorted(maps.Keys(layers))
}

func parseSequential(data []byte, s *weightList) (*Model, error) {
	var c sequentialConfig
	if err := strict(data, &c); err != nil {
		return nil, err
	}
	if len(c.Input.Shape) == 0 || len(c.Layers) == 0 {
		return nil, errors.New(`a sequential model needs "input": {"shape": [...]} and "layers": [...]`)
	}
	for _, d := range c.Input.Shape {
		if d <= 0 || d > 1<<20 {
			return nil, fmt.Errorf("input shape %v has a size that is not positive or absurd", c.Input.Shape)
		}
	}
	if c.Input.DivideBy == 0 {
		c.Input.DivideBy = 1
	}
	m := &Model{Input: c.Input.Shape, DivideBy: c.Input.DivideBy, Widest: size(c.Input.Shape)}
	var chain []layer
	at := c.Input.Shape
	for i, raw := range c.Layers {
		l, op, err := parseLayer(raw)
		if err != nil {
			return nil, fmt.Errorf("layer %d: %w", i, err)
		}
		next, err := l.shape(at)
		if err != nil {
			return nil, fmt.Errorf("layer %d (%s) after shape %v: %w", i, op, at, err)
		}
		m.Flops += l.flops(at, next)
		s.list = append(s.list, l.weights()...)
		m.Widest = max(m.Widest, size(at)+size(next))
		chain, at = append(chain, l), next
	}
	if len(at) != 1 {
		return nil, fmt.Errorf("the last layer gives shape %v, want one row of logits", at)
	}
	seen := map[string]bool{}
	for _, t := range s.list {
		if seen[t.Name] {
			return nil, fmt.Errorf("two layers read %s", t.Name)
		}
		seen[t.Name] = true
	}
	m.Outputs = at[0]
	m.chain = chain
	m.Forward = func(w Weights, x *graph.Node) *graph.Node { return through(chain, w, x) }
	return m, nil
}

func parseLayer(raw json.RawMessage) (layer, string, error) {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, "", err
	}
	var op string
	if err := json.Unmarshal(fields["op"], &op); err != nil {
		return nil, "", errors.New(`no "op"`)
	}
	make, ok := layers[op]
	if !ok {
		return nil, op, fmt.Errorf("unknown op %q; known: %s", op, strings.Join(Ops(), ", "))
	}
	delete(fields, "op")
	rest, err := json.Marshal(fields)
	if err != nil {
		return nil, op, err
	}
	l := make()
	if err := strict(rest, l); err != nil {
		return nil, op, fmt.Errorf("%s: %w", op, err)
	}
	return l, op, nil
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
