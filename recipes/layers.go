package recipes

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/mergevo/mergevo/tensors"
)

// tensor is what a recipe needs to know of a tensor of the output.
type tensor struct {
	name string
	// prefix and layer split "model.layers.3.mlp" into "model.layers." and 3;
	// layer is -1 for a tensor outside layers.
	prefix string
	layer  int
	// t is where gradients are read: 0 at the first layer of the slice and
	// outside layers, 1 at the last.
	t float64
	// slice is the position of the recipe's slice that it is of.
	slice int
}

// maxLayer bounds what counts as a layer's number.
const maxLayer = 1 << 20

// layerOf finds the first purely numeric component of a dotted name.
func layerOf(name string) (prefix string, layer int) {
	start := 0
	for part := range strings.SplitSeq(name, ".") {
		if n, err := strconv.ParseUint(part, 10, 32); err == nil && n < maxLayer {
			return name[:start], int(n)
		}
		start += len(part) + 1
	}
	return "", -1
}

// Depths counts the layers of each prefix of the tensors' names, such as
// "model.layers.": two towers have two depths.
func Depths(infos []tensors.Info) map[string]int {
	count := map[string]int{}
	for _, info := range infos {
		if prefix, layer := layerOf(info.Name); layer >= 0 {
			count[prefix] = max(count[prefix], layer+1)
		}
	}
	return count
}

// layered sorts the tensors, numbers by value, and places them in their slices.
func (a *Arrangement) layered(infos []tensors.Info) []tensor {
	count := Depths(infos)
	var ts []tensor
	for _, info := range infos {
		t := tensor{name: info.Name}
		t.prefix, t.layer = layerOf(info.Name)
		in, ok := a.spans[info.Name]
		switch {
		case ok:
			t.slice = in.slice
			t.t = in.position()
		case t.layer >= 0:
			t.t = span{at: t.layer, of: count[t.prefix]}.position()
		}
		ts = append(ts, t)
	}
	slices.SortFunc(ts, func(a, b tensor) int {
		return cmp.Or(strings.Compare(a.prefix, b.prefix), a.layer-b.layer, strings.Compare(a.name, b.name))
	})
	return ts
}

// span says where in its slice a tensor is: layer at of so many, none outside
// layers.
type span struct{ slice, at, of int }

// position is the gradients' t. The only layer is the last one, as in mergekit.
func (s span) position() float64 {
	switch s.of {
	case 0:
		return 0
	case 1:
		return 1
	}
	return float64(s.at) / float64(s.of-1)
}
