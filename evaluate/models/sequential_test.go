package models_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/internal/xla/xlatest"
)

// everyLayer uses each layer once, with strides, padding and missing biases.
const everyLayer = `{"model_type": "sequential", "input": {"shape": [2, 7, 9]}, "layers": [
	{"op": "conv2d", "name": "c1", "in": 2, "out": 3, "kernel": 3, "pad": 1},
	{"op": "gelu"},
	{"op": "max_pool2d", "kernel": 3, "stride": 2, "pad": 1},
	{"op": "layer_norm", "name": "n", "shape": [5]},
	{"op": "conv2d", "name": "c2", "in": 3, "out": 4, "kernel": 2, "stride": 2, "bias": false},
	{"op": "relu"},
	{"op": "flatten"},
	{"op": "gelu", "approximate": "tanh"},
	{"op": "linear", "name": "f", "in": 16, "out": 6, "bias": false},
	{"op": "layer_norm", "name": "m", "shape": [6], "bias": false},
	{"op": "linear", "name": "g", "in": 6, "out": 3}]}`

// reference computes the same network by loops in float64, as torch defines it.
func reference(w map[string][]float64, x []float64) []float64 {
	conv := func(x []float64, c, h, wd int, name string, out, k, stride, pad int, bias bool) ([]float64, int, int) {
		oh, ow := (h+2*pad-k)/stride+1, (wd+2*pad-k)/stride+1
		y := make([]float64, out*oh*ow)
		for o := range out {
			for i := range oh {
				for j := range ow {
					var s float64
					if bias {
						s = w[name+".bias"][o]
					}
					for ci := range c {
						for a := range k {
							for b := range k {
								r, q := i*stride+a-pad, j*stride+b-pad
								if r >= 0 && r < h && q >= 0 && q < wd {
									s += w[name+".weight"][((o*c+ci)*k+a)*k+b] * x[(ci*h+r)*wd+q]
								}
							}
						}
					}
					y[(o*oh+i)*ow+j] = s
				}
			}
		}
		return y, oh, ow
	}
	pool := func(x []float64, c, h, wd, k, stride, pad int) ([]float64, int, int) {
		oh, ow := (h+2*pad-k)/stride+1, (wd+2*pad-k)/stride+1
		y := make([]float64, c*oh*ow)
		for ci := range c {
			for i := range oh {
				for j := range ow {
					best := math.Inf(-1)
					for a := range k {
						for b := range k {
							r, q := i*stride+a-pad, j*stride+b-pad
							if r >= 0 && r < h && q >= 0 && q < wd {
								best = math.Max(best, x[(ci*h+r)*wd+q])
							}
						}
					}
					y[(ci*oh+i)*ow+j] = best
				}
			}
		}
		return y, oh, ow
	}
	norm := func(x []float64, name string, n int, bias bool) {
		for at := 0; at < len(x); at += n {
			var mean, v float64
			for _, a := range x[at : at+n] {
				mean += a / float64(n)
			}
			for _, a := range x[at : at+n] {
				v += (a - mean) * (a - mean) / float64(n)
			}
			for i := range n {
				x[at+i] = (x[at+i] - mean) / math.Sqrt(v+1e-5) * w[name+".weight"][i]
				if bias {
					x[at+i] += w[name+".bias"][i]
				}
			}
		}
	}
	each := func(x []float64, f func(float64) float64) {
		for i := range x {
			x[i] = f(x[i])
		}
	}
	linear := func(x []float64, name string, out int, bias bool) []float64 {
		y := make([]float64, out)
		for o := range out {
			if bias {
				y[o] = w[name+".bias"][o]
			}
			for i, v := range x {
				y[o] += w[name+".weight"][o*len(x)+i] * v
			}
		}
		return y
	}
	x, h, wd := conv(x, 2, 7, 9, "c1", 3, 3, 1, 1, true)
	each(x, func(v float64) float64 { return 0.5 * v * (1 + math.Erf(v/math.Sqrt2)) })
	x, h, wd = pool(x, 3, h, wd, 3, 2, 1)
	norm(x, "n", 5, true)
	x, _, _ = conv(x, 3, h, wd, "c2", 4, 2, 2, 0, false)
	each(x, func(v float64) float64 { return math.Max(0, v) })
	each(x, func(v float64) float64 {
		return 0.5 * v * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(v+0.044715*v*v*v)))
	})
	x = linear(x, "f", 6, false)
	norm(x, "m", 6, false)
	return linear(x, "g", 3, true)
}

// Each layer agrees with torch's definition, for one candidate and for several.
func TestLayers(t *testing.T) {
	m, err := models.Parse([]byte(everyLayer), nil)
	if err != nil {
		t.Fatal(err)
	}
	const population, batch = 3, 4
	rng := rand.New(rand.NewPCG(1, 2))
	normal := func(n int) []float32 {
		out := make([]float32, n)
		for i := range out {
			out[i] = float32(rng.NormFloat64())
		}
		return out
	}
	x := normal(batch * 2 * 7 * 9)
	stacked := map[string][]float32{}
	for _, info := range m.Tensors {
		stacked[info.Name] = normal(population * info.Len())
	}
	for _, b := range xlatest.Backends(t) {
		for _, p := range []int{1, population} {
			t.Run(fmt.Sprintf("%s/%d", b.Kind, p), func(t *testing.T) {
				exec, err := graph.NewExec(b.Backend, func(args []*graph.Node) *graph.Node {
					byName := map[string]*graph.Node{}
					for i, info := range m.Tensors {
						byName[info.Name] = args[1+i]
					}
					return m.Forward(func(name string) *graph.Node { return byName[name] }, args[0])
				})
				if err != nil {
					t.Fatal(err)
				}
				args := []any{gmlx.FromFlatDataAndDimensions(x, batch, 2, 7, 9)}
				for _, info := range m.Tensors {
					args = append(args, gmlx.FromFlatDataAndDimensions(stacked[info.Name][:p*info.Len()], append([]int{p}, info.Shape...)...))
				}
				out, err := exec.Call(args...)
				if err != nil {
					t.Fatal(err)
				}
				got := gmlx.MustCopyFlatData[float32](out[0])
				if len(got) != p*batch*3 {
					t.Fatalf("%d logits", len(got))
				}
				for c := range p {
					w := map[string][]float64{}
					for _, info := range m.Tensors {
						w[info.Name] = wide(stacked[info.Name][c*info.Len() : (c+1)*info.Len()])
					}
					for e := range batch {
						want := reference(w, wide(x[e*126:(e+1)*126]))
						for i, y := range want {
							if g := float64(got[(c*batch+e)*3+i]); math.Abs(g-y) > 1e-4*math.Max(1, math.Abs(y)) {
								t.Fatalf("candidate %d, example %d, logit %d: %g, want %g", c, e, i, g, y)
							}
						}
					}
				}
			})
		}
	}
}

func wide(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

func TestConfigErrors(t *testing.T) {
	layers := func(l string) string {
		return `{"model_type": "sequential", "input": {"shape": [1, 4, 4]}, "layers": [` + l + `]}`
	}
	for _, c := range []struct{ config, want string }{
		{`{"model_type": "resnet"}`, `model_type "resnet" cannot be run here; known: bert, clip, clip_vision_model, gpt2, llama, mistral, qwen2, qwen3, sequential, vit` + "\nhint: a task of kind command"},
		{`{"model_type": "sequential"`, "not a config.json"},
		{`{"model_type": "sequential", "layers": []}`, `needs "input"`},
		{layers(`{"op": "linear", "name": "a", "in": 16, "out": 3}`), "layer 0 (linear) after shape [1 4 4]: takes [16] (a flatten layer"},
		{layers(`{"op": "flatten"}, {"op": "linear", "name": "a", "in": 16, "out": 3, "bais": false}`), `unknown field "bais"`},
		{layers(`{"op": "dense"}`), `unknown op "dense"; known: conv2d, flatten`},
		{layers(`{"op": "conv2d", "name": "c", "in": 1, "out": 2, "kernel": 9}`), "the kernel of 9 does not fit into 4x4"},
		{layers(`{"op": "conv2d", "name": "c", "in": 3, "out": 2, "kernel": 3}`), "takes [3, height, width]"},
		{layers(`{"op": "relu"}`), "the last layer gives shape [1 4 4]"},
		{layers(`{"op": "flatten"}, {"op": "linear", "name": "a", "in": 16, "out": 16}, {"op": "linear", "name": "a", "in": 16, "out": 16}`), "two layers read a.weight"},
		{layers(`{"op": "gelu", "approximate": "fast"}`), `approximate is none or tanh`},
		{layers(`{"op": "layer_norm", "name": "n", "shape": [3]}`), "a shape that ends [1 4 4]"},
		{layers(`{"op": "max_pool2d", "kernel": 2, "pad": 2}`), "pad at most half the kernel"},
	} {
		_, err := models.Parse([]byte(c.config), nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\ngot  %v\nwant %s", c.config, err, c.want)
		}
	}
	m, err := models.Parse([]byte(layers(`{"op": "flatten"}, {"op": "linear", "name": "a", "in": 16, "out": 3}`)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Check(m.Tensors[:1]); err == nil || !strings.Contains(err.Error(), "a.bias: config.json asks for it") {
		t.Errorf("a missing bias: %v", err)
	}
	if _, err := models.Load(t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "put one in") {
		t.Errorf("no config: %v", err)
	}
}
