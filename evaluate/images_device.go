package evaluate

import (
	"context"
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// Images scores merges of resident parents on images, one at a time: batches of one
// size, whatever their tasks, go through each.
type Images struct {
	single
	classes *imageClasses
	shared  []*gmlx.Tensor // what classes are made of, besides weights
	calls   []imageCall
}

// imageCall is a batch on the device: images [rows, Input...], and for each the first
// class of its task, the one after the last, and the right one, int32 [3, rows].
type imageCall struct {
	at   []int // places of the answers; rows-len(at) rows repeat the last image
	args []*gmlx.Tensor
}

var _ Resident = (*Images)(nil)

// ImagesOnDevice uploads images and returns their evaluator.
func ImagesOnDevice(pop *merge.Population, m *models.Model, sets []*Dataset, plan Plan) (*Images, error) {
	d := &Images{single: newSingle(pop, m), classes: newImageClasses(m, sets)}
	d.examine = d.all
	type image struct {
		at    int
		data  []byte
		place [3]int
	}
	by := map[tensors.DType][]image{}
	for _, s := range sets {
		if s.Sequences != nil {
			return nil, fmt.Errorf("task %s has texts and others have images; score them apart", s.Name)
		}
		base := d.add(s)
		from, to := d.classes.of(s)
		width := len(s.Inputs) / s.Len()
		for j, label := range s.Labels {
			by[s.DType] = append(by[s.DType], image{base + j, s.Inputs[j*width : (j+1)*width], [3]int{from, to, from + int(label)}})
		}
	}
	if len(d.keys) == 0 {
		return nil, fmt.Errorf("there is no example to score")
	}
	d.shared = d.classes.tensors()
	for _, stored := range []struct {
		is tensors.DType
		as dtypes.DType
	}{{tensors.U8, dtypes.Uint8}, {tensors.F32, dtypes.Float32}} {
		list := by[stored.is]
		for from := 0; from < len(list); from += plan.Rows {
			part := list[from:min(from+plan.Rows, len(list))]
			c := imageCall{}
			var pixels []byte
			place := make([]int32, 3*plan.Rows)
			for r := range plan.Rows {
				x := part[min(r, len(part)-1)]
				pixels = append(pixels, x.data...)
				for i, p := range x.place {
					place[i*plan.Rows+r] = int32(p)
				}
				if r < len(part) {
					c.at = append(c.at, x.at)
				}
			}
			x, err := gmlx.FromRaw(pop.Backend(), 0, shapes.Make(stored.as, append([]int{plan.Rows}, m.Input...)...), pixels)
			if err != nil {
				return nil, fmt.Errorf("uploading images: %w", err)
			}
			c.args = []*gmlx.Tensor{x, gmlx.FromFlatDataAndDimensions(place, 3, plan.Rows)}
			d.calls = append(d.calls, c)
		}
	}
	return d, nil
}

// Finalize frees the images and the compiled graphs.
func (d *Images) Finalize() {
	for _, c := range d.calls {
		finalize(c.args)
	}
	finalize(d.shared)
	d.free()
}

// all lets every batch go through a candidate.
func (d *Images) all(ctx context.Context, w *weights, a *answers) error {
	for _, c := range d.calls {
		if err := ctx.Err(); err != nil {
			return err
		}
		out, err := d.run("images", d.program, append(c.args[:2:2], d.shared...), w.list)
		if err != nil {
			return err
		}
		err = a.readClasses(out, c.at)
		finalize(out)
		if err != nil {
			return fmt.Errorf("reading scores: %w", err)
		}
	}
	return nil
}

// program is the graph of a batch: arguments are images, places, what is shared, and
// the model's weights.
func (d *Images) program(args []*graph.Node) []*graph.Node {
	own := args[:len(args)-len(d.model.Tensors)]
	w := d.named(args[len(own):])
	x := own[0]
	if x.DType() != dtypes.Float32 {
		x = d.model.Image.Pixels.Normalized(x)
	}
	return d.classify(d.classes.logits(w, d.model.Image.Vector(w, x), own[2:]), own[1])
}
