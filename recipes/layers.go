package recipes

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mergevo/mergevo/tensors"
)

// tensor is what a recipe needs to know of a tensor.
type tensor struct {
	name string
	// prefix and layer split "model.layers.3.mlp" into "model.layers." and 3;
	// layer is -1 for a tensor outside layers.
	prefix string
	layer  int
	// t is where gradients are read: 0 at the first layer and outside layers, 1
	// at the last.
	t float64
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

// layered sorts the tensors, numbers by value, and places them in their layers.
// Layers are counted for each prefix: two towers have two depths.
func layered(infos []tensors.Info) (ts []tensor, count map[string]int) {
	count = map[string]int{}
	for _, info := range infos {
		t := tensor{name: info.Name}
		t.prefix, t.layer = layerOf(info.Name)
		if t.layer >= 0 {
			count[t.prefix] = max(count[t.prefix], t.layer+1)
		}
		ts = append(ts, t)
	}
	for i := range ts {
		switch n := count[ts[i].prefix]; {
		case ts[i].layer < 0:
		case n == 1:
			ts[i].t = 1 // as mergekit: the only layer is the last
		default:
			ts[i].t = float64(ts[i].layer) / float64(n-1)
		}
	}
	slices.SortFunc(ts, func(a, b tensor) int {
		return cmp.Or(strings.Compare(a.prefix, b.prefix), a.layer-b.layer, strings.Compare(a.name, b.name))
	})
	return ts, count
}

// checkLayers holds the slice's layer_range against the checkpoint: a range that
// stops short would cut layers.
func (d *decoder) checkLayers(r *Recipe, count map[string]int) {
	for _, m := range r.models {
		if m.layers == 0 {
			continue
		}
		fits := false
		var have []string
		for prefix, n := range count {
			fits = fits || n == m.layers
			have = append(have, fmt.Sprintf("%d in %q", n, strings.TrimSuffix(prefix, ".")))
		}
		if fits {
			continue
		}
		slices.Sort(have)
		hint := "the tensors have no layers"
		if have != nil {
			hint = "layers: " + strings.Join(have[:min(len(have), 5)], ", ")
		}
		d.hint(m.rangeAt, hint, "layer_range [0, %d] is not all layers: %s", m.layers, noStacking)
	}
}
