package evaluate

import (
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate/models"
)

// imageClasses lays the classes of all tasks side by side, so that one program serves
// every task: the model's own, if there are any, then those of all heads, then those of
// each file of features.
type imageClasses struct {
	model    *models.Model
	heads    classPlaces
	headAt   map[*Head]int
	features []*Features
}

func newImageClasses(m *models.Model, sets []*Dataset) *imageClasses {
	c := &imageClasses{model: m, heads: classPlaces{width: m.Image.Width}, headAt: map[*Head]int{}}
	seen := map[*Features]bool{}
	for _, s := range sets {
		if _, ok := c.headAt[s.Head]; s.Head != nil && !ok {
			c.headAt[s.Head] = c.heads.add(s.Head)
		}
		if s.Features != nil && !seen[s.Features] {
			seen[s.Features] = true
			c.features = append(c.features, s.Features)
		}
	}
	return c
}

// of returns the place of a set's first class and of the one after its last.
func (c *imageClasses) of(s *Dataset) (from, to int) {
	switch {
	case s.Features != nil:
		from = c.model.Outputs + c.heads.count
		for _, f := range c.features {
			if f == s.Features {
				break
			}
			from += f.Classes
		}
		return from, from + s.Features.Classes
	case s.Head != nil:
		from = c.model.Outputs + c.headAt[s.Head]
		return from, from + s.Head.Classes
	}
	return 0, c.model.Outputs
}

// tensors are the arguments that logits takes.
func (c *imageClasses) tensors() []*gmlx.Tensor {
	list := c.heads.tensors()
	for _, f := range c.features {
		list = append(list, gmlx.FromFlatDataAndDimensions(f.Texts, f.Classes, f.Width))
		if f.Projection != nil {
			list = append(list, gmlx.FromFlatDataAndDimensions(f.Projection, f.Width, c.model.Image.Width))
		}
		if f.Scale != nil {
			list = append(list, gmlx.FromFlatDataAndDimensions(f.Scale, 1))
		}
	}
	return list
}

// logits are those of all classes, float32 [rows, classes], of vectors [rows, Width].
func (c *imageClasses) logits(w models.Weights, v *graph.Node, args []*graph.Node) *graph.Node {
	next := func() *graph.Node {
		x := args[0]
		args = args[1:]
		return x
	}
	i := c.model.Image
	var all []*graph.Node
	if i.Logits != nil {
		all = append(all, i.Logits(w, v))
	}
	if c.heads.count > 0 {
		weight, bias := next(), next()
		all = append(all, linear(v, weight, bias))
	}
	for _, f := range c.features {
		texts := next()
		of := func(own []float32, name string) *graph.Node {
			if own != nil {
				return next()
			}
			return w(name)
		}
		projection := of(f.Projection, i.Projection)
		all = append(all, models.Similarity(v, projection, of(f.Scale, i.Scale), texts))
	}
	return graph.Concatenate(all, 1)
}
