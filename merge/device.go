package merge

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/mergevo/mergevo/tensors"
)

func withDType(x *graph.Node, d dtypes.DType) shapes.Shape {
	return shapes.Make(d, x.Shape().Dimensions...)
}

// deviceType returns the type in which a stored tensor lies on the device.
func deviceType(d tensors.DType) (dtypes.DType, error) {
	switch d {
	case tensors.F64:
		return dtypes.Float64, nil
	case tensors.F32:
		return dtypes.Float32, nil
	case tensors.F16:
		return dtypes.Float16, nil
	case tensors.BF16:
		return dtypes.BFloat16, nil
	}
	return 0, fmt.Errorf("%s tensors cannot be merged", d)
}

// storedAs returns the type in which a source's tensor lies on the device.
func storedAs(s tensors.Source, name string) (dtypes.DType, error) {
	info, ok := s.Lookup(name)
	if !ok {
		return 0, fmt.Errorf("no tensor %s in %s", name, s.Path())
	}
	return deviceType(info.DType)
}

// rounded returns x, float32, as it reads back after being written in another
// type: one conversion there and one back. The barrier keeps compilers that are
// allowed excess precision from dropping the pair.
func rounded(x *graph.Node, d tensors.DType) (*graph.Node, error) {
	to, err := deviceType(d)
	if err != nil {
		return nil, err
	}
	if to == dtypes.Float32 {
		return x, nil
	}
	return graph.ConvertDType(graph.OptimizationBarrier(graph.ConvertDType(x, to)), dtypes.Float32), nil
}
