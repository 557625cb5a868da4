package merge_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// Each element gets the shares of its own stretch, along the order as stored and along
// columns, whatever the tensor's shape.
func TestPieces(t *testing.T) {
	m, ok := merge.Lookup("niche")
	if !ok {
		t.Fatal("no method niche")
	}
	p := family(t, tensors.F32, 3, several)
	var seeds []map[string][]float32
	for _, s := range p.Sources()[1:] {
		seeds = append(seeds, read(t, s))
	}
	rng := rand.New(rand.NewPCG(5, 5))
	var all []*merge.Spec
	for _, count := range []int{1, 2, 3, 4, 5, 16, 17, 60} {
		for _, columns := range []bool{false, true} {
			global := m.NewValues()
			global.Pieces = pieces(rng, 3, count, columns)
			source := slices.Repeat([]merge.Values{m.NewValues()}, 3)
			all = append(all, &merge.Spec{Method: m, Parts: []merge.Part{{Base: -1, Inputs: []int{1, 2, 3}}},
				Params: func(string) (merge.Values, []merge.Values) { return global, source }})
		}
	}
	for _, b := range xlatest.Backends(t) {
		got := batched(t, b.Backend, all, p)
		for c, s := range all {
			global, _ := s.Params("")
			for _, info := range p.Merged() {
				n := info.Len()
				for i, v := range got[c][info.Name] {
					at := i
					if rank := len(info.Shape); global.Pieces.Columns && rank > 1 {
						rest := n / info.Shape[0]
						at = i%rest*info.Shape[0] + i/rest
					}
					piece := 0
					for piece < len(global.Pieces.Ends)-1 && at >= global.Pieces.Ends[piece] {
						piece++
					}
					want, scale := 0.0, 0.0
					for k, share := range global.Pieces.Shares[piece] {
						term := share * float64(seeds[k][info.Name][i])
						want, scale = want+term, scale+math.Abs(term)
					}
					if math.Abs(float64(v)-want) > 4*0x1p-24*scale {
						t.Fatalf("%s, %d stretches, columns %v, %s[%d]: %v, want %v", b.Kind, len(global.Pieces.Ends), global.Pieces.Columns, info.Name, i, v, want)
					}
				}
			}
		}
	}
}
