package merge_test

import (
	"context"
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// Lengths that take several short chunks, and one padded long chunk.
const (
	several = 2*(1<<14) + 77
	long    = 5*(1<<14) + 77
)

// Streamed equals batched, bit for bit, on each backend, whatever the output type.
func TestStreamedEqualsBatched(t *testing.T) {
	types := []struct{ stored, written tensors.DType }{
		{tensors.F32, 0}, {tensors.F32, tensors.BF16}, {tensors.BF16, tensors.BF16}, {tensors.F16, tensors.F16},
	}
	for _, b := range xlatest.Backends(t) {
		for _, d := range types {
			p := family(t, d.stored, 3, several)
			for _, m := range merge.Methods() {
				t.Run(b.Kind+"/"+d.stored.String()+"-"+d.written.String()+"/"+m.Name, func(t *testing.T) {
					all := specs(m, 3, d.written, 3)
					got := batched(t, b.Backend, all, p)
					for i, s := range all {
						want := streamed(t, b.Backend, s, p)
						for name, w := range want {
							if n := differing(w, got[i][name]); n > 0 {
								t.Errorf("candidate %d, %s: %d of %d elements differ", i, name, n, len(w))
							}
						}
					}
				})
			}
		}
	}
}

// A long chunk, padded, gives the bits of the whole tensor at once.
func TestChunkLengthKeepsBits(t *testing.T) {
	b := xlatest.Fastest(t)
	p := family(t, tensors.BF16, 3, long)
	for _, m := range merge.Methods() {
		all := specs(m, 2, tensors.BF16, 3)
		got := batched(t, b.Backend, all, p)
		for i, s := range all {
			for tensor, w := range streamed(t, b.Backend, s, p) {
				if n := differing(w, got[i][tensor]); n > 0 {
					t.Errorf("%s, %s: %d of %d elements differ", m.Name, tensor, n, len(w))
				}
			}
		}
	}
}

// The backends agree within 4 2^-24 (|base| + sum |c d|), and exactly on which
// elements a mask or an election leaves at the base.
func TestBackendsAgree(t *testing.T) {
	all := xlatest.Backends(t)
	if len(all) < 2 {
		t.Skip("one backend")
	}
	p := family(t, tensors.F32, 3, several)
	base := read(t, p.Sources()[0])
	var models []map[string][]float32
	for _, c := range p.Sources()[1:] {
		models = append(models, read(t, c))
	}
	for _, m := range merge.Methods() {
		t.Run(m.Name, func(t *testing.T) {
			list := specs(m, 6, 0, 3)
			a, b := batched(t, all[0].Backend, list, p), batched(t, all[1].Backend, list, p)
			for i, s := range list {
				global, _ := s.Params("one")
				for name := range base {
					_, source := s.Params(name)
					for j, x := range a[i][name] {
						y := b[i][name][j]
						// An election's terms agree in sign: |x - base| is their sum.
						scale := math.Abs(float64(base[name][j])) + math.Abs(float64(x)-float64(base[name][j]))
						for k := range source {
							scale += amplitude(m, global, source, k) * (math.Abs(float64(models[k][name][j])) + math.Abs(float64(base[name][j])))
						}
						if d := math.Abs(float64(x) - float64(y)); d > 4*0x1p-24*scale {
							t.Fatalf("candidate %d, %s[%d]: %g on %s, %g on %s", i, name, j, x, all[0].Kind, y, all[1].Kind)
						}
						if m.Base == merge.BaseRequired && !solved[m.Name] && (x == base[name][j]) != (y == base[name][j]) {
							// A difference too small to see next to the base is no mask.
							if math.Abs(float64(x)-float64(y)) > 0x1p-24*scale {
								t.Fatalf("candidate %d, %s[%d]: kept on one backend only", i, name, j)
							}
						}
					}
				}
			}
		})
	}
}

// solved are the methods with a base that keep no entry at it.
var solved = map[string]bool{"slerp": true, "model_stock": true}

// amplitude bounds the factor of source k's task vector: weights over their sum
// for a normalised one, times lambda and what a rescale can do.
func amplitude(m *merge.Method, global merge.Values, source []merge.Values, k int) float64 {
	if _, ok := m.Param("weight"); !ok {
		return 2
	}
	w := math.Abs(source[k].Get("weight"))
	if _, ok := m.Param("lambda"); ok {
		w *= math.Abs(global.Get("lambda"))
	}
	if _, ok := m.Param("density"); ok {
		w *= 1 + 10/math.Max(0.1, source[k].Get("density"))
	}
	if _, ok := m.Param("normalize"); !ok || global.Is("normalize") {
		var sum float64
		for _, s := range source {
			sum += s.Get("weight")
		}
		w = math.Max(1, w/math.Max(1e-3, math.Abs(sum)))
	}
	return w
}

// Masks must be exact, so a Mix may sum over sources only by unrolling: under a
// reduction, streamed and batched bits part.
func TestMixHoldsNoReduction(t *testing.T) {
	b := xlatest.Backends(t)[0].Backend
	p := family(t, tensors.F32, 3, 100)
	pop, err := merge.Load(b, p)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range merge.Methods() {
		list := specs(m, 1, 0, 3)
		k := pop.Kind(list[0])
		var used []string
		exec, err := graph.NewExec(b, func(args []*graph.Node) []*graph.Node {
			w := k.Weights(args[0], args[1], args[2:])
			out := w("one")
			for _, n := range args[0].Graph().Nodes() {
				used = append(used, n.Type().String())
			}
			return []*graph.Node{out}
		})
		if err != nil {
			t.Fatal(err)
		}
		f, u, _ := k.Coefs(list)
		args := []any{f, u}
		stored, err := k.Resident(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range stored {
			args = append(args, x)
		}
		if _, err := exec.Call(args...); err != nil {
			t.Fatal(err)
		}
		for _, op := range used {
			if forbidden(op) {
				t.Errorf("%s: Mix holds %s", m.Name, op)
			}
		}
		if len(used) < 5 {
			t.Errorf("%s: saw %d nodes only", m.Name, len(used))
		}
	}
}

func forbidden(op string) bool {
	for _, prefix := range []string{"Reduce", "Dot", "While", "Conv", "Sort", "Scatter", "ArgMinMax", "FFT"} {
		if len(op) >= len(prefix) && op[:len(prefix)] == prefix {
			return op != "ConvertDType"
		}
	}
	return false
}
