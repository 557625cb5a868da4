package evaluate

import (
	"fmt"

	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/tensors"
)

// Features are the classes of a task as a model of images and texts knows them: what
// its texts' side makes of a text a class. They are not merged.
type Features struct {
	Classes, Width int
	Texts          []float32 // [Classes, Width]
	// Projection [Width, the model's] and Scale [] are of a checkpoint that has only the
	// images' tower; nil for one that has its own.
	Projection, Scale []float32
}

// featureNames are the names that the texts' tensor has.
var featureNames = []string{"text_features", "text_embeds"}

// LoadFeatures reads texts' features for a model: tensors text_features [classes, d],
// and, for what the model lacks, visual_projection.weight [d, width] and logit_scale.
func LoadFeatures(path string, i *models.Image) (*Features, error) {
	c, err := tensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var texts tensors.Info
	for _, name := range featureNames {
		if t, ok := c.Lookup(name); ok {
			texts = t
			break
		}
	}
	if len(texts.Shape) != 2 || texts.Shape[0] < 2 {
		return nil, fmt.Errorf("%s: want %s [classes, width]; it holds %s", path, featureNames[0], names(c))
	}
	f := &Features{Classes: texts.Shape[0], Width: texts.Shape[1]}
	if f.Texts, err = values(c, texts.Name); err != nil {
		return nil, err
	}
	projection := []int{f.Width, i.Width}
	switch p, has := c.Lookup("visual_projection.weight"); {
	case i.Projection != "":
		if i.Projected != f.Width {
			return nil, fmt.Errorf("%s: %s has shape %v, this model compares vectors of %d", path, texts.Name, texts.Shape, i.Projected)
		}
	case !has:
		return nil, fmt.Errorf("%s: the model has no visual_projection.weight %v of its own: add that of the model that made the features", path, projection)
	case len(p.Shape) != 2 || p.Shape[0] != projection[0] || p.Shape[1] != projection[1]:
		return nil, fmt.Errorf("%s: %s has shape %v, want %v", path, p.Name, p.Shape, projection)
	default:
		if f.Projection, err = values(c, p.Name); err != nil {
			return nil, err
		}
	}
	if i.Scale != "" {
		return f, nil
	}
	if s, ok := c.Lookup("logit_scale"); !ok || s.Len() != 1 {
		return nil, fmt.Errorf("%s: the model has no logit_scale of its own: add that of the model that made the features, one number", path)
	}
	f.Scale, err = values(c, "logit_scale")
	return f, err
}

// values reads a tensor as float32.
func values(c *tensors.Checkpoint, name string) ([]float32, error) {
	t, _ := c.Lookup(name)
	out := make([]float32, t.Len())
	return out, c.ReadAt(out, name, 0)
}
