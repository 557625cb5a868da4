package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/tensors"
)

// images are pictures of digits, 28 × 28 bytes each, and what they show.
type images struct {
	file   string
	pixels []byte
	labels []int32
}

const side = 28

func openImages(file string) (images, error) {
	c, err := tensors.Open(file)
	if err != nil {
		return images{}, err
	}
	defer c.Close() //nolint:errcheck // it is read only
	d := images{file: file}
	pixels, err := c.Raw("images")
	if err != nil {
		return d, err
	}
	labels, err := c.Raw("labels")
	if err != nil {
		return d, err
	}
	if len(pixels) != side*side*len(labels) {
		return d, fmt.Errorf("%s: images of %d bytes for %d labels; want U8 [n, 28, 28] and U8 [n]", file, len(pixels), len(labels))
	}
	d.pixels = append(d.pixels, pixels...)
	for _, v := range labels {
		d.labels = append(d.labels, int32(v))
	}
	return d, nil
}

// batch are some images in the model's shape, as bytes, and what they show.
func (d images) batch(at []int, shape []int) (x, y *gmlx.Tensor) {
	raw, labels := make([]uint8, 0, len(at)*side*side), make([]int32, len(at))
	for k, i := range at {
		raw = append(raw, d.pixels[i*side*side:(i+1)*side*side]...)
		labels[k] = d.labels[i]
	}
	return gmlx.FromFlatDataAndDimensions(raw, append([]int{len(at)}, shape...)...), gmlx.FromFlatDataAndDimensions(labels, len(at))
}

// subject is networks 784-width-…-width-10 with ReLU.
type subject struct {
	config []byte
	model  *models.Model
}

func newSubject(width, hidden int) (*subject, error) {
	layers := []map[string]any{{"op": "flatten"}}
	in := side * side
	for i := range hidden {
		layers = append(layers, map[string]any{"op": "linear", "name": fmt.Sprintf("fc%d", i+1), "in": in, "out": width}, map[string]any{"op": "relu"})
		in = width
	}
	layers = append(layers, map[string]any{"op": "linear", "name": fmt.Sprintf("fc%d", hidden+1), "in": in, "out": 10})
	config, err := json.MarshalIndent(map[string]any{"model_type": "sequential", "input": map[string]any{"shape": []int{1, side, side}, "divide_by": 255}, "layers": layers}, "", " ")
	if err != nil {
		return nil, err
	}
	m, err := models.Parse(config, nil)
	return &subject{config, m}, err
}

// write writes a network's folder.
func (s *subject) write(dir string, w [][]float32) error {
	out, err := tensors.Create(dir, s.model.Tensors, tensors.Options{})
	if err != nil {
		return err
	}
	defer out.Close() //nolint:errcheck // after Commit it does nothing
	if err := out.AddFile("config.json", s.config); err != nil {
		return err
	}
	for i, info := range s.model.Tensors {
		if err := out.WriteAt(w[i], info.Name, 0); err != nil {
			return err
		}
	}
	return out.Commit()
}

// there reports whether a network's folder is, and refuses one of another shape.
func (s *subject) there(dir string) (bool, error) {
	config, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil && string(config) != string(s.config) {
		err = fmt.Errorf("%s holds another network; remove it or name another --work", dir)
	}
	return err == nil, err
}
