package evaluate

import (
	"fmt"

	"github.com/mergevo/mergevo/tensors"
)

// Head turns a model's vectors into the logits of a task's classes: a linear layer
// that is not merged.
type Head struct {
	Classes int
	Weight  []float32 // [Classes, width]
	Bias    []float32 // [Classes]
}

// headNames are the names that heads' tensors have, of weight and bias.
var headNames = []string{"head", "classifier", "score", ""}

// LoadHead reads a head for vectors of the given width: tensors weight [classes,
// width] and bias [classes], if there is one, as they are or behind "head.",
// "classifier." or "score.".
func LoadHead(path string, width int) (*Head, error) {
	c, err := tensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	for _, prefix := range headNames {
		if prefix != "" {
			prefix += "."
		}
		w, ok := c.Lookup(prefix + "weight")
		if !ok {
			continue
		}
		if len(w.Shape) != 2 || w.Shape[1] != width || w.Shape[0] < 2 {
			return nil, fmt.Errorf("%s: %s has shape %v, want [classes, %d] for this model's vectors", path, w.Name, w.Shape, width)
		}
		h := &Head{Classes: w.Shape[0], Weight: make([]float32, w.Len()), Bias: make([]float32, w.Shape[0])}
		if err := c.ReadAt(h.Weight, w.Name, 0); err != nil {
			return nil, err
		}
		if b, ok := c.Lookup(prefix + "bias"); ok {
			if b.Len() != h.Classes {
				return nil, fmt.Errorf("%s: %s has shape %v, want [%d]", path, b.Name, b.Shape, h.Classes)
			}
			if err := c.ReadAt(h.Bias, b.Name, 0); err != nil {
				return nil, err
			}
		}
		return h, nil
	}
	return nil, fmt.Errorf("%s: no head.weight [classes, %d]; it holds %s", path, width, names(c))
}
