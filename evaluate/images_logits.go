package evaluate

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate/models"
)

// ImageLogits are what a model of images says of the classes of one set: its own, a
// head's, or texts'. Graphs that ask for more than scores are built of it.
type ImageLogits struct {
	classes  *imageClasses
	from, to int
}

// NewImageLogits is for a set that [LoadImages] has read for the model.
func NewImageLogits(m *models.Model, d *Dataset) ImageLogits {
	c := newImageClasses(m, []*Dataset{d})
	from, to := c.of(d)
	return ImageLogits{c, from, to}
}

// Classes counts them.
func (l ImageLogits) Classes() int { return l.to - l.from }

// Args are the arguments that a graph passes to [ImageLogits.Of].
func (l ImageLogits) Args() []*gmlx.Tensor { return l.classes.tensors() }

// Of gives the logits, float32 [rows, Classes], of images as they are stored.
func (l ImageLogits) Of(w models.Weights, x *graph.Node, args []*graph.Node) *graph.Node {
	i := l.classes.model.Image
	if x.DType() != dtypes.Float32 {
		x = i.Pixels.Normalized(x)
	}
	return graph.SliceAxis(l.classes.logits(w, i.Vector(w, x), args), 1, graph.AxisRange(l.from, l.to))
}
