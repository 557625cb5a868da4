package main

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate/niches"
)

// data is what the loop on the device scores networks on.
func (p paper) data() niches.Data {
	return niches.Data{
		Inputs: []*gmlx.Tensor{p.images, p.labels}, Examples: p.count,
		Right: func(network *graph.Node, inputs []*graph.Node) *graph.Node {
			logits := forward(network, inputs[0])
			return graph.ConvertDType(graph.Equal(graph.ArgMax(logits, 0, dtypes.Int32), inputs[1]), dtypes.Float32)
		},
	}
}
