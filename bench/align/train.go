package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/internal/xla"
)

// training is how a network is trained: by Adam (Kingma & Ba 2015) with β = 0.9, 0.999
// and a rate that falls to nothing along a line.
type training struct {
	epochs, batch int
	rate          float64
	talk          func(format string, args ...any)
}

// trainer trains networks of one shape on one set of images.
type trainer struct {
	training
	model  *models.Model
	data   images
	update *graph.Exec
}

// newTrainer compiles a step: inputs are the rate, the images and what they show, and
// each tensor's numbers, mean and square; out come the loss and those three anew.
func newTrainer(b *xla.Backend, m *models.Model, d images, how training) (*trainer, error) {
	t := &trainer{training: how, model: m, data: d}
	n := len(m.Tensors)
	names := map[string]int{}
	for i, info := range m.Tensors {
		names[info.Name] = i
	}
	var err error
	t.update, err = graph.NewExec(b.Backend, func(in []*graph.Node) []*graph.Node {
		rate, x, labels := in[0], graph.ConvertDType(in[1], dtypes.Float32), in[2]
		p, mean, square := in[3:3+n], in[3+n:3+2*n], in[3+2*n:]
		x = graph.DivScalar(x, m.DivideBy)
		logits := graph.Squeeze(m.Forward(func(name string) *graph.Node { return graph.InsertAxes(p[names[name]], 0) }, x), 0)
		logs := graph.LogSoftmax(logits, -1)
		at := graph.Iota(in[0].Graph(), shapes.Make(dtypes.Int32, logits.Shape().Dimensions...), 1)
		hit := graph.Equal(at, graph.BroadcastToShape(graph.InsertAxes(labels, -1), at.Shape()))
		loss := graph.Neg(graph.DivScalar(graph.ReduceAllSum(graph.Where(hit, logs, graph.ZerosLike(logs))), float64(how.batch)))
		out := []*graph.Node{loss}
		var means, squares []*graph.Node
		for i, g := range graph.Gradient(loss, p...) {
			a := graph.Add(graph.MulScalar(mean[i], 0.9), graph.MulScalar(g, 0.1))
			s := graph.Add(graph.MulScalar(square[i], 0.999), graph.MulScalar(graph.Mul(g, g), 0.001))
			out = append(out, graph.Sub(p[i], graph.Mul(rate, graph.Div(a, graph.AddScalar(graph.Sqrt(s), 1e-8)))))
			means, squares = append(means, a), append(squares, s)
		}
		return append(append(out, means...), squares...)
	})
	return t, err
}

func (t *trainer) close() { t.update.Finalize() }

// run trains a network from its seed, which decides its first numbers, as torch draws
// them for linear layers, and in which order it sees the images.
func (t *trainer) run(ctx context.Context, seed uint64) ([][]float32, error) {
	rng := rand.New(rand.NewPCG(seed, 0))
	n := len(t.model.Tensors)
	state := make([]*gmlx.Tensor, 3*n)
	fan := 1
	for i, info := range t.model.Tensors {
		if len(info.Shape) > 1 {
			fan = info.Shape[1] // a bias comes behind its weight
		}
		x := make([]float32, info.Len())
		for j := range x {
			x[j] = float32((2*rng.Float64() - 1) / math.Sqrt(float64(fan)))
		}
		state[i] = gmlx.FromFlatDataAndDimensions(x, info.Shape...)
		for _, k := range []int{i + n, i + 2*n} {
			state[k] = gmlx.FromFlatDataAndDimensions(make([]float32, info.Len()), info.Shape...)
		}
	}
	steps := t.epochs * (len(t.data.labels) / t.batch)
	if steps == 0 {
		return nil, fmt.Errorf("a batch of %d is more than the %d images there are", t.batch, len(t.data.labels))
	}
	step := 0
	for epoch := range t.epochs {
		order := rng.Perm(len(t.data.labels))
		var sum float64
		count := len(order) / t.batch
		for b := range count {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			k := float64(step + 1)
			rate := t.rate * (1 - float64(step)/float64(steps)) * math.Sqrt(1-math.Pow(0.999, k)) / (1 - math.Pow(0.9, k))
			x, y := t.data.batch(order[b*t.batch:(b+1)*t.batch], t.model.Input)
			args := []any{float32(rate), x, y}
			for _, s := range state {
				args = append(args, s)
			}
			out, err := t.update.Call(args...)
			if err != nil {
				return nil, err
			}
			sum += float64(gmlx.ToScalar[float32](out[0]))
			for i, s := range state {
				if err := s.FinalizeAll(); err != nil {
					return nil, err
				}
				state[i] = out[i+1]
			}
			step++
		}
		t.talk("seed %d, epoch %d of %d: loss %.4f", seed, epoch+1, t.epochs, sum/float64(count))
	}
	var w [][]float32
	for _, s := range state[:n] {
		x, err := gmlx.CopyFlatData[float32](s)
		if err != nil {
			return nil, err
		}
		w = append(w, x)
	}
	return w, nil
}
