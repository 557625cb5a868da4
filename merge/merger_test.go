package merge_test

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// mergedAt makes the weights of all specs group by group with the parents at a place.
func mergedAt(t *testing.T, b compute.Backend, p *merge.Parents, at merge.Placement, wide bool, all []*merge.Spec) (out []map[string][]float32, calls int) {
	t.Helper()
	pop, err := merge.LoadTo(b, p, at)
	if err != nil {
		t.Fatal(err)
	}
	defer pop.Finalize()
	var names []string
	for _, info := range p.Merged() {
		names = append(names, info.Name)
	}
	slices.Reverse(names) // any order
	mergers := map[*merge.Kind]*merge.Merger{}
	for _, s := range all {
		k := pop.Kind(s)
		if mergers[k] == nil {
			if mergers[k], err = k.Merger(names, merge.MergerOptions{Wide: wide}); err != nil {
				t.Fatal(err)
			}
			defer mergers[k].Finalize()
		}
		m := mergers[k]
		before := m.Calls()
		weights, errs, err := m.Merge(t.Context(), []*merge.Spec{s})
		if err = errors.Join(err, errs[0]); err != nil {
			t.Fatal(err)
		}
		got := map[string][]float32{}
		for i, name := range names {
			got[name] = floats(t, weights[i])
			_ = weights[i].FinalizeAll()
		}
		out, calls = append(out, got), calls+m.Calls()-before
	}
	return out, calls
}

// floats are a tensor's values, float32 or bfloat16.
func floats(t *testing.T, x *gmlx.Tensor) (out []float32) {
	t.Helper()
	err := x.ConstBytes(func(b []byte) {
		for ; len(b) > 0; b = b[x.DType().Size():] {
			if x.DType().Size() == 2 {
				out = append(out, math.Float32frombits(uint32(binary.LittleEndian.Uint16(b))<<16))
			} else {
				out = append(out, math.Float32frombits(binary.LittleEndian.Uint32(b)))
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Wherever the parents lie, and however many tensors are merged in a call, the weights
// are those of one graph for all, to the bit.
func TestPlacementsKeepBits(t *testing.T) {
	for _, c := range []struct {
		dtype tensors.DType
		at    merge.Placement
		group int
		wide  bool
	}{
		{tensors.F32, merge.OnDevice, 1, true},
		{tensors.BF16, merge.InHost, 32 << 20, true},
		{tensors.BF16, merge.OnDisk, 32 << 20, false},
	} {
		t.Run(c.at.String(), func(t *testing.T) {
			defer merge.SetGroupBytes(c.group)()
			p := family(t, c.dtype, 3, 200)
			for _, b := range xlatest.Backends(t) {
				for _, m := range merge.Methods() {
					if b.Kind != "go" && (c.at != merge.OnDisk || !slices.Contains([]string{"linear", "ties", "dare_ties", "della", "nuslerp", "sce"}, m.Name)) {
						continue // compiling takes its time: one of each sort
					}
					all := specs(m, 2, c.dtype, 3)
					want := batched(t, b.Backend, all, p)
					got, calls := mergedAt(t, b.Backend, p, c.at, c.wide, all)
					if per := map[bool]int{true: len(p.Merged()), false: 1}[c.group == 1]; calls != len(all)*per {
						t.Errorf("%s on %s: %d calls", m.Name, b.Kind, calls)
					}
					for i := range all {
						for name, w := range want[i] {
							if n := differing(w, got[i][name]); n > 0 {
								t.Errorf("%s on %s, candidate %d, %s: %d of %d elements differ", m.Name, b.Kind, i, name, n, len(w))
							}
						}
					}
				}
			}
		})
	}
}

// A merge that has no answer says why, one that is given up frees what it has made, and
// parents that are not on the device are none of a graph's.
func TestMergerFails(t *testing.T) {
	b := xlatest.Fastest(t).Backend
	p := family(t, tensors.F32, 3, 100)
	pop, err := merge.LoadTo(b, p, merge.OnDisk)
	if err != nil {
		t.Fatal(err)
	}
	defer pop.Finalize()
	linear, _ := merge.Lookup("linear")
	s := specs(linear, 1, 0, 3)[0]
	k := pop.Kind(s)
	if _, err := k.Resident(t.Context()); err == nil {
		t.Error("parents on disk are resident")
	}
	if _, err := k.Merger([]string{"no such"}, merge.MergerOptions{Wide: true}); err == nil {
		t.Error("there is a merger of no such tensor")
	}
	m, err := k.Merger([]string{"one"}, merge.MergerOptions{Wide: true})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Finalize()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := m.Merge(ctx, []*merge.Spec{s}); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	zero := *s
	zero.Params = func(tensor string) (merge.Values, []merge.Values) {
		global, source := s.Params(tensor)
		for i := range source {
			source[i] = linear.NewValues()
			source[i].Set("weight", 0)
		}
		return global, source
	}
	weights, errs, err := m.Merge(t.Context(), []*merge.Spec{&zero})
	if err != nil || errs[0] == nil || weights != nil {
		t.Errorf("weights of 0: %v, %v, %v", weights, errs, err)
	}
}
