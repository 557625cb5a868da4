package statistics

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/tensors"
)

// imageRows is how many images a call asks about: each has a pass of its own through the
// graph, which takes longer to compile the more there are.
const imageRows = 8

// rows uploads examples [from, from+count) of images: inputs, padded with copies of the
// last to count rows, and 1 for those that are none.
func (n *Network) rows(d *evaluate.Dataset, from, count int) (x, counts *gmlx.Tensor, err error) {
	width := len(d.Inputs) / d.Len()
	raw, ones := make([]byte, 0, count*width), make([]float32, count)
	for i := range count {
		at := min(from+i, d.Len()-1)
		raw = append(raw, d.Inputs[at*width:(at+1)*width]...)
		if from+i < d.Len() {
			ones[i] = 1
		}
	}
	stored := dtypes.Uint8
	if d.DType == tensors.F32 {
		stored = dtypes.Float32
	}
	x, err = n.uploaded(shapes.Make(stored, append([]int{count}, n.model.Input...)...), raw)
	return x, gmlx.FromFlatDataAndDimensions(ones, count), err
}

func (n *Network) ofImages(m mode, d *evaluate.Dataset, l Labels) (steps []step) {
	rows, answers, extra := imageRows, n.model.Outputs, func() []*gmlx.Tensor { return nil }
	if n.model.Image != nil { // each fills a device by itself
		logits := evaluate.NewImageLogits(n.model, d)
		rows, answers, extra = 1, logits.Classes(), logits.Args
	}
	if l.Given {
		answers = 1
	}
	for from := 0; from < d.Len(); from += rows {
		for c := range answers {
			steps = append(steps, step{m, func() ([]*gmlx.Tensor, error) {
				x, counts, err := n.rows(d, from, rows)
				if err != nil {
					return nil, err
				}
				answer := slices.Repeat([]int32{int32(c)}, rows)
				if l.Given {
					copy(answer, d.Labels[from:min(from+rows, d.Len())])
				}
				return append([]*gmlx.Tensor{x, gmlx.FromFlatDataAndDimensions(answer, rows), counts}, extra()...), nil
			}})
		}
	}
	return steps
}

// sequence are the ids [rows, T] of some sequences, padded to one length, and their
// lengths.
func (n *Network) sequence(list []evaluate.Sequence) (ids, lengths *gmlx.Tensor) {
	t := 2
	for _, q := range list {
		t = max(t, evaluate.RoundLength(len(q.IDs), n.model.Text.Longest()))
	}
	flat, long := make([]int32, len(list)*t), make([]int32, len(list))
	for r, q := range list {
		copy(flat[r*t:], q.IDs)
		long[r] = int32(len(q.IDs))
	}
	return gmlx.FromFlatDataAndDimensions(flat, len(list), t), gmlx.FromFlatDataAndDimensions(long, len(list))
}

func (n *Network) ofClasses(d *evaluate.Dataset, l Labels) (steps []step) {
	for i, q := range d.Sequences {
		answers := make([]int32, d.Head.Classes)
		for c := range answers {
			answers[c] = int32(c)
		}
		if l.Given {
			answers = d.Labels[i : i+1]
		}
		for _, c := range answers {
			steps = append(steps, step{ofClasses, func() ([]*gmlx.Tensor, error) {
				ids, lengths := n.sequence([]evaluate.Sequence{q})
				share := evaluate.Shares(d.Pooling, len(q.IDs), ids.Shape().Dim(1))
				return []*gmlx.Tensor{ids, lengths, gmlx.FromFlatDataAndDimensions(share, 1, len(share)),
					gmlx.FromFlatDataAndDimensions(d.Head.Weight, d.Head.Classes, n.model.Text.Width),
					gmlx.FromFlatDataAndDimensions(d.Head.Bias, d.Head.Classes), gmlx.FromFlatDataAndDimensions([]int32{c}, 1)}, nil
			}})
		}
	}
	return steps
}

// starts are the first tokens that count.
func starts(list []evaluate.Sequence) *gmlx.Tensor {
	from := make([]int32, len(list))
	for i, q := range list {
		from[i] = int32(q.From)
	}
	return gmlx.FromFlatDataAndDimensions(from, len(from))
}

func (n *Network) ofChoices(d *evaluate.Dataset, l Labels) (steps []step) {
	at := 0
	for i, options := range d.Options {
		list := d.Sequences[at : at+options]
		at += options
		answers := make([]int32, options)
		for c := range answers {
			answers[c] = int32(c)
		}
		if l.Given {
			answers = d.Labels[i : i+1]
		}
		for _, c := range answers {
			steps = append(steps, step{ofChoices, func() ([]*gmlx.Tensor, error) {
				ids, lengths := n.sequence(list)
				return []*gmlx.Tensor{ids, lengths, starts(list), gmlx.FromFlatDataAndDimensions([]int32{c}, 1)}, nil
			}})
		}
	}
	return steps
}

func (n *Network) ofTexts(d *evaluate.Dataset, l Labels) (steps []step) {
	samples := l.Samples
	if l.Given {
		samples = 1
	}
	at := 0
	for i, windows := range d.Options {
		for w := range windows {
			list := d.Sequences[at : at+1]
			at++
			for k := range samples {
				steps = append(steps, step{ofTexts, func() ([]*gmlx.Tensor, error) {
					ids, lengths := n.sequence(list)
					own := []*gmlx.Tensor{ids, lengths, starts(list)}
					if !l.Given {
						own = append(own, gmlx.FromFlatDataAndDimensions(drawKey(l.Seed, d.Keys[i], w, k), 2))
					}
					return own, nil
				}})
			}
		}
	}
	return steps
}

// drawKey keys the draws of a window of a text: they are the same whatever other texts
// there are.
func drawKey(seed uint64, text evaluate.Key, window, sample int) []uint32 {
	sum := sha256.Sum256(fmt.Appendf(nil, "mergevo labels 1|%d|%x|%d|%d", seed, text, window, sample))
	return []uint32{binary.LittleEndian.Uint32(sum[0:]), binary.LittleEndian.Uint32(sum[4:])}
}
