package evaluate

import (
	"cmp"
	"fmt"

	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/tensors"
)

// LoadImages reads a task's examples for a model of images, as [Load] does: its classes
// are the model's own, a head's, or texts that images are compared with.
func LoadImages(t Task, m *models.Model) (parts [3]*Dataset, err error) {
	fail := func(err error) ([3]*Dataset, error) { return parts, fmt.Errorf("task %s: %w", t.Name, err) }
	var head *Head
	var features *Features
	classes, names := m.Outputs, m.Image.Classes
	switch {
	case t.Pooling != "":
		return fail(fmt.Errorf("pooling is for texts: a model of type %s gives an image one vector", m.Type))
	case t.Head != "" && t.Features != "":
		return fail(fmt.Errorf("head and features both say what the classes are: leave one out"))
	case t.Head != "":
		if head, err = LoadHead(t.Head, m.Image.Width); err != nil {
			return fail(err)
		}
		classes = head.Classes
	case t.Features != "":
		if features, err = LoadFeatures(t.Features, m.Image); err != nil {
			return fail(err)
		}
		classes = features.Classes
	case m.Image.Logits == nil:
		return fail(fmt.Errorf("this model of type %s has no classes of its own: name a file with head, a linear layer, or with features, those of a text a class", m.Type))
	}
	if of := cmp.Or(t.Head, t.Features); of != "" {
		if names, err = labelNames(of); err != nil {
			return fail(err)
		}
	}
	if parts, err = Load(t, m.Input, classes); err != nil {
		return parts, err
	}
	for _, d := range parts {
		if d == nil {
			continue
		}
		d.Head, d.Features, d.Classes = head, features, names
		if d.DType == tensors.U8 {
			if d.Pixels = m.Image.Pixels; d.Pixels == nil {
				return fail(models.ErrNoPixels)
			}
		}
	}
	return parts, nil
}
