package models

import (
	"encoding/json"
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// Image is what a model that reads images is made of. As [Text]'s, its graphs are of
// one candidate, which fills a device by itself: weights are [shape...], without a
// population axis.
type Image struct {
	// Width is the size of an image's vector, which heads read.
	Width int
	// Vector returns the images' vectors, float32 [B, Width], of x, float32
	// [B, Channels, Height, Width], normalised as the model wants it.
	Vector func(w Weights, x *graph.Node) *graph.Node
	// Logits returns the scores of the model's own classes, float32
	// [B, Model.Outputs], of vectors; nil where it has none.
	Logits func(w Weights, vector *graph.Node) *graph.Node
	// Projection is the weight [Projected, Width] that takes vectors to where texts' are,
	// Scale the logarithm of what cosines are multiplied with, []; both are names of
	// weights, "" where the model has none.
	Projection, Scale string
	Projected         int
	// Classes are the names of the model's own classes, where its config gives them.
	Classes []string
	// Pixels says how bytes become x; nil where nothing says it.
	Pixels *Pixels
	// Places is the number of vectors that the layers see of an image; Wide and Heads
	// are as of [Text].
	Places, Wide, Heads int
}

// Similarity returns what CLIP says of images and texts, float32 [B, n]: the cosines of
// the images' vectors [B, Width], taken to the texts' by projection [d, Width], with the
// texts' features [n, d], times exp(scale). None needs length 1.
func Similarity(vector, projection, scale, features *graph.Node) *graph.Node {
	unit := func(x *graph.Node) *graph.Node {
		return graph.Div(x, graph.Sqrt(graph.ReduceAndKeep(graph.Mul(x, x), graph.ReduceSum, -1)))
	}
	cosines := graph.Einsum("bd,nd->bn", unit(graph.Einsum("bw,dw->bd", vector, projection)), unit(features))
	return graph.Mul(cosines, graph.Exp(graph.ExpandLeftToRank(scale, 2)))
}

// extent is a height and a width; JSON gives both or one number for both.
type extent [2]int

func (e *extent) UnmarshalJSON(data []byte) error {
	var side int
	if json.Unmarshal(data, &side) == nil {
		*e = extent{side, side}
		return nil
	}
	var list []int
	if err := json.Unmarshal(data, &list); err != nil || len(list) != 2 {
		return fmt.Errorf("%s is neither a number nor [height, width]", data)
	}
	*e = extent{list[0], list[1]}
	return nil
}

// patches cuts images [B, C, H, W] into squares and maps each by a convolution's
// weight [out, C, h, w] to a vector, row by row: [B, n, out]. The convolution's
// windows do not overlap, so it is a matrix product; a rest at the edge is left out.
func patches(w Weights, name string, x *graph.Node) *graph.Node {
	weight := w(name)
	d, k := x.Shape().Dimensions, weight.Shape().Dimensions
	rows, columns := d[2]/k[2], d[3]/k[3]
	x = graph.Slice(x, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(0, rows*k[2]), graph.AxisRange(0, columns*k[3]))
	x = graph.TransposeAllAxes(graph.Reshape(x, d[0], d[1], rows, k[2], columns, k[3]), 0, 2, 4, 1, 3, 5)
	x = graph.Reshape(x, d[0], rows*columns, d[1]*k[2]*k[3])
	seen(name, x, false)
	return graph.Einsum("bni,oi->bno", x, graph.Reshape(weight, k[0], -1))
}

// stand puts the class token's vector, of width elements, before the patches'
// [B, n, width] and adds the places' vectors, (n+1)*width elements.
func stand(x, token, places *graph.Node) *graph.Node {
	b, n, width := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2)
	first := graph.BroadcastToShape(graph.Reshape(token, 1, 1, width), shapes.Make(dtypes.Float32, b, 1, width))
	x = graph.Concatenate([]*graph.Node{first, x}, 1)
	return graph.Add(x, graph.BroadcastToShape(graph.Reshape(places, 1, n+1, width), x.Shape()))
}

// tower is the layers between patches and vector (Dosovitskiy et al. 2021): each adds
// to x what attention, then a multilayer perceptron makes of the normalised x.
type tower struct {
	layers, heads, width, inner int
	eps                         float64
	act                         func(*graph.Node) *graph.Node
	bias                        bool   // of queries, keys and values
	prefix                      string // of the layers' weights: the number and a dot follow
	names                       towerNames
	// begin makes the first layer's input [B, n, width] of images; end makes the images'
	// vectors of the first place's [B, width].
	begin, end func(w Weights, x *graph.Node) *graph.Node
}

func (t *tower) layer(i int) string { return fmt.Sprintf("%s%d.", t.prefix, i) }

// towerNames are the names of a layer's parts.
type towerNames struct{ before, query, key, value, out, after, up, down string }

// weights lists the layers' tensors.
func (t *tower) weights(s *weightList) {
	for i := range t.layers {
		l := t.layer(i)
		s.norm(l+t.names.before, t.width)
		for _, name := range []string{t.names.query, t.names.key, t.names.value} {
			s.affine(l+name, t.width, t.width, t.bias)
		}
		s.affine(l+t.names.out, t.width, t.width, true)
		s.norm(l+t.names.after, t.width)
		s.affine(l+t.names.up, t.inner, t.width, true)
		s.affine(l+t.names.down, t.width, t.inner, true)
	}
}

// vector is Image.Vector.
func (t *tower) vector(w Weights, x *graph.Node) *graph.Node {
	x = t.begin(w, x)
	for i := range t.layers {
		x = t.run(w, i, x)
	}
	return t.end(w, graph.Squeeze(x, 1))
}

// run is a layer on x [B, n, width]. The last gives [B, 1, width], of the first place,
// which is all that is asked of images: there the other places are only looked at.
func (t *tower) run(w Weights, i int, x *graph.Node) *graph.Node {
	b, d := x.Shape().Dim(0), t.width/t.heads
	l := t.layer(i)
	in := normalize(w, l+t.names.before, x, t.eps)
	from := in
	if i == t.layers-1 {
		from, x = graph.SliceAxis(in, 1, graph.AxisRange(0, 1)), graph.SliceAxis(x, 1, graph.AxisRange(0, 1))
	}
	heads := func(name string, of *graph.Node) *graph.Node {
		return graph.Reshape(dense(w, l+name, of, t.bias), b, of.Shape().Dim(1), t.heads, d)
	}
	a := attend(heads(t.names.query, from), heads(t.names.key, in), heads(t.names.value, in), nil, rootOf(d))
	x = graph.Add(x, dense(w, l+t.names.out, a, true))
	m := t.act(dense(w, l+t.names.up, normalize(w, l+t.names.after, x, t.eps), true))
	return graph.Add(x, dense(w, l+t.names.down, m, true))
}

// parts is the model in parts.
func (t *tower) parts() *parts {
	return &parts{layers: t.layers, prefix: t.prefix, begin: t.begin,
		end:   func(w Weights, x *graph.Node) *graph.Node { return t.end(w, graph.Squeeze(x, 1)) },
		layer: func(w Weights, i int, x, _ *graph.Node) *graph.Node { return t.run(w, i, x) },
		like: func(i int) int {
			if i == t.layers-1 {
				return i // it looks from the first place alone
			}
			return 0
		}}
}

// check refuses sizes that no tower has.
func (t *tower) check(channels int, image, patch extent) error {
	if err := positive(map[string]int{"hidden_size": t.width, "intermediate_size": t.inner, "num_hidden_layers": t.layers, "num_attention_heads": t.heads,
		"num_channels": channels, "image_size": min(image[0], image[1]), "patch_size": min(patch[0], patch[1])}); err != nil {
		return err
	}
	if t.width%t.heads != 0 {
		return fmt.Errorf("hidden_size %d is not a multiple of num_attention_heads %d", t.width, t.heads)
	}
	if patch[0] > image[0] || patch[1] > image[1] {
		return fmt.Errorf("patch_size %v is larger than image_size %v", patch, image)
	}
	return positive(map[string]int{"image_size": max(image[0], image[1])})
}

// count is the number of patches.
func (e extent) count(patch extent) int { return e[0] / patch[0] * (e[1] / patch[1]) }

// model is the model of a tower on images of the given size.
func (t *tower) model(channels int, image, patch extent, i *Image) *Model {
	i.Vector = t.vector
	i.Places, i.Wide, i.Heads = image.count(patch)+1, 4*t.width+2*t.inner, t.heads
	return &Model{Input: []int{channels, image[0], image[1]}, DivideBy: 1, Image: i, parts: t.parts()}
}
