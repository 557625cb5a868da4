package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
)

// Pixels is how a model wants an image's bytes: (byte*Factor - Mean) / Deviation, of
// each channel.
type Pixels struct {
	Factor          float64
	Mean, Deviation []float32 // [Channels]
}

// processors are the files that say it, as transformers writes them; a processor of
// texts and images keeps that of the images under a key.
var processors = []struct{ file, key string }{{"preprocessor_config.json", ""}, {"processor_config.json", "image_processor"}}

// ErrNoPixels is returned where bytes are to be read and nothing beside the checkpoint
// says how.
var ErrNoPixels = errors.New("no preprocessor_config.json beside the checkpoint says how bytes become the model's inputs: put the model's own there, or give inputs as floats")

// loadPixels reads the image processor's file in a checkpoint's folder; nil where there
// is none.
func loadPixels(dir string, channels int) (*Pixels, error) {
	for _, p := range processors {
		path := filepath.Join(dir, p.file)
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if p.key != "" {
			var whole map[string]json.RawMessage
			if json.Unmarshal(data, &whole) != nil || whole[p.key] == nil {
				continue
			}
			data = whole[p.key]
		}
		x, err := parsePixels(data, channels)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return x, nil
	}
	return nil, nil
}

func parsePixels(data []byte, channels int) (*Pixels, error) {
	c := struct {
		Rescale   bool            `json:"do_rescale"`
		Factor    float64         `json:"rescale_factor"`
		Normalize bool            `json:"do_normalize"`
		Mean      json.RawMessage `json:"image_mean"`
		Deviation json.RawMessage `json:"image_std"`
	}{Rescale: true, Factor: 1.0 / 255, Normalize: true}
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, err
	}
	p := &Pixels{Factor: 1, Mean: make([]float32, channels), Deviation: slices.Repeat([]float32{1}, channels)}
	if c.Rescale {
		p.Factor = c.Factor
	}
	if !c.Normalize {
		return p, nil
	}
	var err error
	if p.Mean, err = perChannel("image_mean", c.Mean, channels); err != nil {
		return nil, err
	}
	if p.Deviation, err = perChannel("image_std", c.Deviation, channels); err != nil {
		return nil, err
	}
	for _, d := range p.Deviation {
		if !(d > 0) {
			return nil, fmt.Errorf("image_std has %g", d)
		}
	}
	return p, nil
}

// perChannel reads a list of a number a channel, or one number for all.
func perChannel(key string, data json.RawMessage, channels int) ([]float32, error) {
	var one float32
	var list []float32
	switch {
	case len(data) == 0 || string(data) == "null":
		return nil, fmt.Errorf("there is no %s", key)
	case json.Unmarshal(data, &one) == nil:
		list = slices.Repeat([]float32{one}, channels)
	case json.Unmarshal(data, &list) != nil || len(list) != channels:
		return nil, fmt.Errorf("%s is %s, want %d numbers", key, data, channels)
	}
	return list, nil
}

// Normalized maps bytes [B, Channels, Height, Width] to float32 of that shape.
func (p *Pixels) Normalized(x *graph.Node) *graph.Node {
	x = graph.MulScalar(graph.ConvertDType(x, dtypes.Float32), p.Factor)
	each := func(values []float32) *graph.Node {
		return graph.BroadcastToShape(graph.Reshape(graph.Const(x.Graph(), values), 1, len(values), 1, 1), x.Shape())
	}
	return graph.Div(graph.Sub(x, each(p.Mean)), each(p.Deviation))
}
