package main

import (
	"fmt"
	"path/filepath"

	"github.com/mergevo/mergevo/merge/niche"
	"github.com/mergevo/mergevo/tensors"
)

// The network of the experiment: inputs, hidden units, digits.
const (
	inputs  = 64
	hidden  = 256
	outputs = 10
	weights = inputs*hidden + hidden + hidden*outputs + outputs
)

// digits is the experiment's data.
type digits struct {
	train, test set
	seeds       [][]float32 // low and high, flat
}

// set are images, a row of inputs numbers each, and what they show.
type set struct {
	images []float32
	labels []int32
}

func openDigits(dir string) (*digits, error) {
	var d digits
	var err error
	if d.train, err = openSet(filepath.Join(dir, "train.safetensors")); err != nil {
		return nil, err
	}
	if d.test, err = openSet(filepath.Join(dir, "test.safetensors")); err != nil {
		return nil, err
	}
	for _, name := range []string{"low", "high"} {
		w, err := openFlat(filepath.Join(dir, name+".safetensors"))
		if err != nil {
			return nil, err
		}
		d.seeds = append(d.seeds, w)
	}
	return &d, nil
}

// gram is the inner products of the seeds.
func (d *digits) gram() (*niche.Gram, error) {
	const block = 256
	return niche.NewGram(weights, len(d.seeds), block, func(k int, lo int64, dst []float32) error {
		copy(dst, d.seeds[k][lo:])
		return nil
	})
}

func openSet(path string) (set, error) {
	c, err := tensors.Open(path)
	if err != nil {
		return set{}, err
	}
	defer c.Close() //nolint:errcheck // it is read only
	images, err := c.Raw("images")
	if err != nil {
		return set{}, err
	}
	labels, err := c.Raw("labels")
	if err != nil {
		return set{}, err
	}
	if len(images) != inputs*len(labels) {
		return set{}, fmt.Errorf("%s: images of %d bytes for %d labels; want U8 [n, 8, 8] and U8 [n]", path, len(images), len(labels))
	}
	var s set
	for _, v := range images {
		s.images = append(s.images, float32(v)) // as in the authors' program: not scaled
	}
	for _, v := range labels {
		s.labels = append(s.labels, int32(v))
	}
	return s, nil
}

// openFlat reads a network in the authors' order: weights of a layer by input, then by
// unit, and its biases.
func openFlat(path string) ([]float32, error) {
	c, err := tensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer c.Close() //nolint:errcheck // it is read only
	flat := make([]float32, 0, weights)
	for _, l := range []struct {
		name    string
		in, out int
	}{{"fc1", inputs, hidden}, {"fc2", hidden, outputs}} {
		w, b := make([]float32, l.in*l.out), make([]float32, l.out)
		if err := c.ReadAt(w, l.name+".weight", 0); err != nil {
			return nil, err
		}
		if err := c.ReadAt(b, l.name+".bias", 0); err != nil {
			return nil, err
		}
		for i := range l.in {
			for o := range l.out {
				flat = append(flat, w[o*l.in+i])
			}
		}
		flat = append(flat, b...)
	}
	return flat, nil
}
