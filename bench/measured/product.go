package measured

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"
)

// Product is products of large matrices: about the most arithmetic that a machine does.
type Product struct {
	exec  *graph.Exec
	input *gmlx.Tensor
}

const productSize, productTimes = 1536, 4

// ProductFlops is the floating-point operations of one Run.
const ProductFlops = 2 * productSize * productSize * productSize * productTimes

// NewProduct compiles it for a backend.
func NewProduct(b compute.Backend) (*Product, error) {
	numbers := make([]float32, productSize*productSize)
	for i := range numbers {
		numbers[i] = float32(i%7) / 7
	}
	exec, err := graph.NewExec(b, func(x *graph.Node) *graph.Node {
		for range productTimes {
			x = graph.DivScalar(graph.MatMul(x, x), productSize)
		}
		return graph.ReduceAllSum(x)
	})
	if err != nil {
		return nil, err
	}
	return &Product{exec, gmlx.FromFlatDataAndDimensions(numbers, productSize, productSize)}, nil
}

// Run multiplies; the first time it compiles.
func (p *Product) Run() error {
	out, err := p.exec.Call(p.input)
	if err != nil {
		return err
	}
	_ = gmlx.ToScalar[float32](out[0]) // waits for it
	return out[0].FinalizeAll()
}

// Finalize frees what the product holds.
func (p *Product) Finalize() {
	p.exec.Finalize()
	_ = p.input.FinalizeAll()
}
