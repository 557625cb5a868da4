package evaluate

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/merge"
)

// weights are a candidate's on the device. Of one that is run a layer at a time, list has
// those outside layers, and layers those of each layer, in the order of layerNames.
type weights struct {
	list   []*gmlx.Tensor
	layers [][]*gmlx.Tensor
	own    []*gmlx.Tensor // what is freed with the candidate; the rest is its parents'
}

func (w *weights) free() { finalize(w.own) }

// byLayer splits the names of a model's weights into those outside layers and those of
// layer 0, whose names stand for those of every layer.
func byLayer(m *models.Model) (outer, layer []string) {
	first := m.Text.Blocks.Prefix + "0."
	for _, t := range m.Tensors {
		switch rest, in := strings.CutPrefix(t.Name, m.Text.Blocks.Prefix); {
		case strings.HasPrefix(t.Name, first):
			layer = append(layer, t.Name)
		case !in || rest[0] < '0' || rest[0] > '9':
			outer = append(outer, t.Name)
		}
	}
	return outer, layer
}

// Stackable refuses models that cannot be run a layer at a time.
func Stackable(m *models.Model) error {
	if m.Text == nil || m.Text.Blocks == nil {
		return fmt.Errorf("a model of type %s has no layers that can be stacked and scored", m.Type)
	}
	if !m.Text.Blocks.Alike() {
		return fmt.Errorf("the layers of this %s are of several kinds by their number (windows or scales of attention): stacks of them cannot be scored", m.Type)
	}
	return nil
}

// taker takes a candidate's weights one by one, until one cannot be had: failed says what
// is wrong with the candidate, err with the rest.
type taker struct {
	on          *single
	spec        *merge.Spec
	own         []*gmlx.Tensor // what is the taker's to free; the rest is the parents'
	failed, err error
}

// take makes tensors; ok is false where one could not be made.
func (t *taker) take(ctx context.Context, names []string) (list []*gmlx.Tensor, ok bool) {
	d := t.on
	for _, name := range names {
		if t.err = ctx.Err(); t.err != nil {
			return nil, false
		}
		began := time.Now()
		x, own, failed, err := d.pop.Tensor(ctx, t.spec, name, d.mergers.wide)
		d.mergers.busy += time.Since(began)
		d.mergers.calls++
		if t.failed, t.err = failed, err; x == nil {
			return nil, false
		}
		list = append(list, x)
		if own {
			t.own = append(t.own, x)
		}
	}
	return list, true
}

// free frees what was taken.
func (t *taker) free() {
	finalize(t.own)
	t.own = nil
}

// namesOf are the names of a layer's weights, in the order of those of layer 0.
func (d *single) namesOf(layer int) []string {
	prefix := d.model.Text.Blocks.Prefix
	names := make([]string, len(d.layer))
	for i, name := range d.layer {
		names[i] = prefix + strconv.Itoa(layer) + strings.TrimPrefix(name, prefix+"0")
	}
	return names
}

// apart makes a candidate's weights tensor by tensor. A model that is run by layers has
// as many as the spec's parents give it.
func (d *single) apart(ctx context.Context, s *merge.Spec) (w *weights, failed, err error) {
	w = &weights{}
	t := &taker{on: d, spec: s}
	defer func() {
		if w.own = t.own; t.failed != nil || t.err != nil {
			w.free()
		}
	}()
	if !d.blocks {
		w.list, _ = t.take(ctx, d.model.Names())
		return w, t.failed, t.err
	}
	var ok bool
	if w.list, ok = t.take(ctx, d.outer); !ok {
		return w, t.failed, t.err
	}
	for i := range d.pop.Layers(s, d.model.Text.Blocks.Prefix) {
		layer, ok := t.take(ctx, d.namesOf(i))
		if !ok {
			break
		}
		w.layers = append(w.layers, layer)
	}
	return w, t.failed, t.err
}

// begin returns what a candidate's first layer reads of ids.
func (d *Texts) begin(ids *gmlx.Tensor, w *weights) (*gmlx.Tensor, error) {
	out, err := d.run("begin", func(args []*graph.Node) []*graph.Node {
		return []*graph.Node{d.model.Text.Blocks.Begin(named(d.outer, args[1:]), args[0])}
	}, []*gmlx.Tensor{ids}, w.list)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// through lets a batch go through a candidate's layers, one after the other: every call
// is of the same graph.
func (d *Texts) through(c call, w *weights) (x *gmlx.Tensor, err error) {
	if x, err = d.begin(c.args[0], w); err != nil {
		return nil, err
	}
	for _, layer := range w.layers {
		if x, err = d.step(c, x, layer); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// step is a layer's output, made of its input x, which is freed.
func (d *Texts) step(c call, x *gmlx.Tensor, layer []*gmlx.Tensor) (*gmlx.Tensor, error) {
	defer finalize([]*gmlx.Tensor{x})
	out, err := d.run("layer", func(args []*graph.Node) []*graph.Node {
		return []*graph.Node{d.model.Text.Blocks.Layer(named(d.layer, args[2:]), 0, args[0], args[1])}
	}, []*gmlx.Tensor{x, c.args[1]}, layer)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// passLayers is pass of a candidate that is run a layer at a time.
func (d *Texts) passLayers(c call, w *weights) ([]*gmlx.Tensor, error) {
	x, err := d.through(c, w)
	if err != nil {
		return nil, err
	}
	return d.end(c, x, w)
}

// end is what a batch's mode makes of the last layer's output x, which is freed.
func (d *Texts) end(c call, x *gmlx.Tensor, w *weights) ([]*gmlx.Tensor, error) {
	defer finalize([]*gmlx.Tensor{x})
	own := append([]*gmlx.Tensor{x}, append(c.args, c.mode.shared(d.shared)...)...)
	return d.run(fmt.Sprint("end of mode ", c.mode), func(args []*graph.Node) []*graph.Node {
		own := args[:len(args)-len(d.outer)]
		w := named(d.outer, args[len(own):])
		return d.finish(c.mode, w, d.model.Text.Blocks.End(w, own[0]), own[1:])
	}, own, w.list)
}

// promptLayers is prompt of such a candidate.
func (d *Texts) promptLayers(c call, size int, w *weights) (id *gmlx.Tensor, memory []*gmlx.Tensor, err error) {
	x, err := d.begin(c.args[0], w)
	if err != nil {
		return nil, nil, err
	}
	for _, layer := range w.layers {
		out, err := d.run("prompt of a layer "+strconv.Itoa(size), func(args []*graph.Node) []*graph.Node {
			y, memory := d.model.Text.Decode.PromptLayer(named(d.layer, args[2:]), args[0], args[1], size)
			return append([]*graph.Node{y}, memory...)
		}, []*gmlx.Tensor{x, c.args[1]}, layer)
		finalize([]*gmlx.Tensor{x})
		if err != nil {
			finalize(memory)
			return nil, nil, err
		}
		x, memory = out[0], append(memory, out[1:]...)
	}
	out, err := d.run("end of a prompt", func(args []*graph.Node) []*graph.Node {
		w := named(d.outer, args[2:])
		last := d.model.Text.Decode.Last(d.model.Text.Blocks.End(w, args[0]), args[1])
		return []*graph.Node{d.likeliest(w, last)}
	}, []*gmlx.Tensor{x, c.args[1]}, w.list)
	finalize([]*gmlx.Tensor{x})
	if err != nil {
		finalize(memory)
		return nil, nil, err
	}
	return out[0], memory, nil
}

// nextLayers is next of such a candidate.
func (d *Texts) nextLayers(id, place *gmlx.Tensor, old []*gmlx.Tensor, w *weights) (next *gmlx.Tensor, memory []*gmlx.Tensor, err error) {
	out, err := d.run("begin of the next", func(args []*graph.Node) []*graph.Node {
		return []*graph.Node{d.model.Text.Decode.NextBegin(named(d.outer, args[2:]), args[0], args[1])}
	}, []*gmlx.Tensor{id, place}, w.list)
	if err != nil {
		return nil, nil, err
	}
	x := out[0]
	for i, layer := range w.layers {
		out, err := d.run("next of a layer", func(args []*graph.Node) []*graph.Node {
			y, memory := d.model.Text.Decode.NextLayer(named(d.layer, args[4:]), args[0], args[1], args[2:4])
			return append([]*graph.Node{y}, memory...)
		}, []*gmlx.Tensor{x, place, old[2*i], old[2*i+1]}, layer)
		finalize([]*gmlx.Tensor{x})
		if err != nil {
			finalize(memory)
			return nil, nil, err
		}
		x, memory = out[0], append(memory, out[1:]...)
	}
	out, err = d.run("end of the next", func(args []*graph.Node) []*graph.Node {
		w := named(d.outer, args[1:])
		return []*graph.Node{d.likeliest(w, graph.Squeeze(d.model.Text.Blocks.End(w, args[0]), 1))}
	}, []*gmlx.Tensor{x}, w.list)
	finalize([]*gmlx.Tensor{x})
	if err != nil {
		finalize(memory)
		return nil, nil, err
	}
	return out[0], memory, nil
}
