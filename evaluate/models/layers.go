package models

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors/images"

	"github.com/mergevo/mergevo/tensors"
)

// linear is torch.nn.Linear: weight [out, in], bias [out].
type linear struct {
	Name string `json:"name"`
	In   int    `json:"in"`
	Out  int    `json:"out"`
	Bias *bool  `json:"bias"` // default true
}

func (l *linear) shape(in []int) ([]int, error) {
	switch {
	case l.Name == "" || l.In <= 0 || l.Out <= 0:
		return nil, errors.New("needs name, in and out")
	case len(in) != 1 || in[0] != l.In:
		return nil, fmt.Errorf("takes [%d] (a flatten layer makes one row of an image)", l.In)
	}
	return []int{l.Out}, nil
}

func (l *linear) weights() []tensors.Info { return withBias(l.Name, l.Bias, l.Out, l.Out, l.In) }

func (l *linear) flops(_, _ []int) int { return 2 * l.In * l.Out }

func (l *linear) forward(w Weights, x *graph.Node) *graph.Node {
	l.seen(x)
	y := product(x, w(l.Name+".weight"))
	if l.Bias == nil || *l.Bias {
		y = graph.Add(y, graph.InsertAxes(w(l.Name+".bias"), 1))
	}
	return y
}

// product is x W^T over the population: x [1|P, B, in], W [P, out, in].
func product(x, w *graph.Node) *graph.Node {
	switch p := w.Shape().Dim(0); {
	case p == 1:
		return graph.InsertAxes(graph.Einsum("bi,oi->bo", graph.Squeeze(x, 0), graph.Squeeze(w, 0)), 0)
	case x.Shape().Dim(0) == 1:
		return graph.Einsum("bi,poi->pbo", graph.Squeeze(x, 0), w)
	}
	return graph.Einsum("pbi,poi->pbo", x, w)
}

// conv2d is torch.nn.Conv2d on NCHW: weight [out, in, kh, kw], bias [out].
type conv2d struct {
	Name   string `json:"name"`
	In     int    `json:"in"`
	Out    int    `json:"out"`
	Kernel int    `json:"kernel"`
	Stride int    `json:"stride"` // default 1
	Pad    int    `json:"pad"`    // default 0
	Bias   *bool  `json:"bias"`   // default true
}

func (l *conv2d) shape(in []int) ([]int, error) {
	if l.Name == "" || l.In <= 0 || l.Out <= 0 || l.Kernel <= 0 || l.Stride <= 0 || l.Pad < 0 {
		return nil, errors.New("needs name, in, out and kernel; stride is positive, pad is not negative")
	}
	if len(in) != 3 || in[0] != l.In {
		return nil, fmt.Errorf("takes [%d, height, width]", l.In)
	}
	return window(l.Out, in, l.Kernel, l.Stride, l.Pad)
}

// window is torch's output size of a square sliding window, rounded down.
func window(channels int, in []int, kernel, stride, pad int) ([]int, error) {
	h, w := (in[1]+2*pad-kernel)/stride+1, (in[2]+2*pad-kernel)/stride+1
	if in[1]+2*pad < kernel || in[2]+2*pad < kernel {
		return nil, fmt.Errorf("the kernel of %d does not fit into %dx%d with padding %d", kernel, in[1], in[2], pad)
	}
	return []int{channels, h, w}, nil
}

func (l *conv2d) weights() []tensors.Info {
	return withBias(l.Name, l.Bias, l.Out, l.Out, l.In, l.Kernel, l.Kernel)
}

func (l *conv2d) flops(_, out []int) int { return 2 * size(out) * l.In * l.Kernel * l.Kernel }

func (l *conv2d) forward(w Weights, x *graph.Node) *graph.Node {
	l.seen(x)
	k := w(l.Name + ".weight") // [P, O, I, kh, kw]
	p, b := k.Shape().Dim(0), x.Shape().Dim(1)
	// A population is a grouped convolution: candidate p's channels are group p.
	x = graph.BroadcastToDims(x, append([]int{p}, x.Shape().Dimensions[1:]...)...)
	in := slices.Clone(x.Shape().Dimensions[2:])
	in[0] *= p
	x = graph.Reshape(graph.TransposeAllAxes(x, 1, 0, 2, 3, 4), append([]int{b}, in...)...)
	k = graph.Reshape(k, p*l.Out, l.In, l.Kernel, l.Kernel)
	y := l.convolve(x, k, p)
	d := y.Shape().Dimensions
	y = graph.TransposeAllAxes(graph.Reshape(y, b, p, l.Out, d[2], d[3]), 1, 0, 2, 3, 4)
	if l.Bias == nil || *l.Bias {
		y = graph.Add(y, graph.Reshape(w(l.Name+".bias"), p, 1, l.Out, 1, 1))
	}
	return y
}

// convolve applies kernels [out, in, kh, kw] to x [B, in, height, width], the channels
// in groups.
func (l *conv2d) convolve(x, k *graph.Node, groups int) *graph.Node {
	return graph.Convolve(x, k).
		AxesConfig(graph.ConvolveAxesConfig{
			InputBatch: 0, InputChannels: 1, InputSpatial: []int{2, 3},
			KernelOutputChannels: 0, KernelInputChannels: 1, KernelSpatial: []int{2, 3},
			OutputBatch: 0, OutputChannels: 1, OutputSpatial: []int{2, 3},
		}).
		Strides(l.Stride).PaddingPerDim([][2]int{{l.Pad, l.Pad}, {l.Pad, l.Pad}}).ChannelGroupCount(groups).Done()
}

func withBias(name string, bias *bool, out int, shape ...int) []tensors.Info {
	t := []tensors.Info{{Name: name + ".weight", DType: tensors.F32, Shape: shape}}
	if bias == nil || *bias {
		t = append(t, tensors.Info{Name: name + ".bias", DType: tensors.F32, Shape: []int{out}})
	}
	return t
}

// noWeights is embedded by layers that only change values or shape.
type noWeights struct{}

func (noWeights) weights() []tensors.Info { return nil }
func (noWeights) flops(_, _ []int) int    { return 0 }

type relu struct{ noWeights }

func (*relu) shape(in []int) ([]int, error) { return in, nil }

func (*relu) forward(_ Weights, x *graph.Node) *graph.Node {
	return graph.Max(x, graph.ZerosLike(x))
}

// gelu is torch.nn.GELU: exact by default, approximate "tanh" on demand.
type gelu struct {
	noWeights
	Approximate string `json:"approximate"`
}

func (l *gelu) shape(in []int) ([]int, error) {
	if l.Approximate != "" && l.Approximate != "none" && l.Approximate != "tanh" {
		return nil, fmt.Errorf("approximate is none or tanh, not %q", l.Approximate)
	}
	return in, nil
}

func (l *gelu) forward(_ Weights, x *graph.Node) *graph.Node {
	half := graph.MulScalar(x, 0.5)
	if l.Approximate == "tanh" {
		inner := graph.Add(x, graph.MulScalar(graph.Mul(x, graph.Mul(x, x)), 0.044715))
		return graph.Mul(half, graph.OnePlus(graph.Tanh(graph.MulScalar(inner, math.Sqrt(2/math.Pi)))))
	}
	return graph.Mul(half, graph.OnePlus(graph.Erf(graph.MulScalar(x, math.Sqrt2/2))))
}

// maxPool2d is torch.nn.MaxPool2d.
type maxPool2d struct {
	noWeights
	Kernel int `json:"kernel"`
	Stride int `json:"stride"` // default: the kernel
	Pad    int `json:"pad"`    // default 0
}

func (l *maxPool2d) shape(in []int) ([]int, error) {
	if l.Stride == 0 {
		l.Stride = l.Kernel
	}
	if l.Kernel <= 0 || l.Stride <= 0 || l.Pad < 0 || 2*l.Pad > l.Kernel {
		return nil, errors.New("needs a kernel; stride is positive, pad at most half the kernel")
	}
	if len(in) != 3 {
		return nil, errors.New("takes [channels, height, width]")
	}
	return window(in[0], in, l.Kernel, l.Stride, l.Pad)
}

func (l *maxPool2d) forward(_ Weights, x *graph.Node) *graph.Node {
	d := x.Shape().Dimensions
	x = graph.Reshape(x, d[0]*d[1], d[2], d[3], d[4])
	var y *graph.Node
	if isDifferentiated(x.Graph()) && l.Pad == 0 {
		y = l.steps(x)
	} else {
		y = graph.MaxPool(x).ChannelsAxis(images.ChannelsFirst).
			Window(l.Kernel).Strides(l.Stride).PaddingPerDim([][2]int{{l.Pad, l.Pad}, {l.Pad, l.Pad}}).Done()
	}
	o := y.Shape().Dimensions
	return graph.Reshape(y, d[0], d[1], o[1], o[2], o[3])
}

type flatten struct{ noWeights }

func (*flatten) shape(in []int) ([]int, error) { return []int{size(in)}, nil }

func (*flatten) forward(_ Weights, x *graph.Node) *graph.Node {
	d := x.Shape().Dimensions
	return graph.Reshape(x, d[0], d[1], size(d[2:]))
}

// layerNorm is torch.nn.LayerNorm over the trailing axes that shape names.
type layerNorm struct {
	Name  string  `json:"name"`
	Shape []int   `json:"shape"`
	Eps   float64 `json:"eps"`  // default 1e-5
	Bias  *bool   `json:"bias"` // default true
}

func (l *layerNorm) shape(in []int) ([]int, error) {
	n := len(l.Shape)
	if l.Name == "" || l.Eps <= 0 || n == 0 || n > len(in) || !slices.Equal(l.Shape, in[len(in)-n:]) {
		return nil, fmt.Errorf("needs name, a positive eps, and a shape that ends %v", in)
	}
	return in, nil
}

func (l *layerNorm) weights() []tensors.Info {
	t := withBias(l.Name, l.Bias, 0, l.Shape...)
	if len(t) > 1 {
		t[1].Shape = l.Shape
	}
	return t
}

func (l *layerNorm) flops(in, _ []int) int { return 8 * size(in) }

func (l *layerNorm) forward(w Weights, x *graph.Node) *graph.Node {
	axes := make([]int, len(l.Shape))
	for i := range axes {
		axes[i] = x.Rank() - len(axes) + i
	}
	mean := graph.ReduceAndKeep(x, graph.ReduceMean, axes...)
	c := graph.Sub(x, mean)
	variance := graph.ReduceAndKeep(graph.Mul(c, c), graph.ReduceMean, axes...)
	y := graph.Div(c, graph.Sqrt(graph.AddScalar(variance, l.Eps)))
	// Weights [P, shape...] stand under the last axes of [P, B, in...].
	wide := func(t *graph.Node) *graph.Node {
		dims := slices.Repeat([]int{1}, x.Rank())
		dims[0] = t.Shape().Dim(0)
		copy(dims[x.Rank()-len(axes):], l.Shape)
		return graph.Reshape(t, dims...)
	}
	y = graph.Mul(y, wide(w(l.Name+".weight")))
	if l.Bias == nil || *l.Bias {
		y = graph.Add(y, wide(w(l.Name+".bias")))
	}
	return y
}
