package niches

import (
	"context"
	"math"
	"path/filepath"
	"testing"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/merge/niche"
	"github.com/mergevo/mergevo/tensors"
)

// Networks of the loop have the marks that the evaluator gives the models they are, in
// either flat order, with and without the loop; one whose output is no number fails.
func TestNetworks(t *testing.T) {
	const mnist = "../../testdata/mnist"
	names := []string{"low", "high"}
	var open []*tensors.Checkpoint
	for _, n := range names {
		c, err := tensors.Open(filepath.Join(mnist, "mlp", n+".safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		open = append(open, c)
	}
	p, err := merge.NewParents(names, open, nil, merge.MissingRefuse, false)
	if err != nil {
		t.Fatal(err)
	}
	m, err := models.Load(open[0].Dir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var sets []*evaluate.Dataset
	for i, labels := range [][]int{{0, 1, 2}, {5, 6, 7, 8}} {
		task := evaluate.Task{Name: []string{"few", "others"}[i], Kind: "classification", Data: filepath.Join(mnist, "val.safetensors"), Inputs: "images", Targets: "labels", Labels: labels, Limit: 40 + 10*i, Split: evaluate.Split{Search: 1}}
		parts, err := evaluate.Load(task, m.Input, m.Outputs)
		if err != nil {
			t.Fatal(err)
		}
		sets = append(sets, parts[evaluate.Search])
	}
	for _, b := range xlatest.Backends(t) {
		pop, err := merge.Load(b.Backend, p)
		if err != nil {
			t.Fatal(err)
		}
		defer pop.Finalize()
		d, err := evaluate.OnDevice(pop, m, sets, evaluate.Plan{Slice: 1, Unrolled: true, Rows: 90})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Finalize()
		for _, columns := range []bool{false, true} {
			flat := &niche.Flat{Columns: columns}
			end := int64(0)
			for _, x := range p.Merged() {
				end += int64(x.Len())
				flat.Tensors, flat.Ends = append(flat.Tensors, x.Name), append(flat.Ends, end)
			}
			flat.Chromosomes = []int64{end}
			check := func(id uint64, weights []float32, right []uint8, tie *float32) {
				t.Helper()
				stored := map[string][]float32{}
				for _, x := range p.Merged() {
					stored[x.Name] = flat.Stored(weights, x.Name, x.Shape)
				}
				spec := merge.Given([]merge.Part{{Base: -1, Inputs: []int{0}}}, func(tensor string) []float32 { return stored[tensor] })
				results, err := d.Evaluate(context.Background(), []evaluate.Model{{Spec: spec}})
				if err != nil || results[0].Err != nil {
					t.Fatal(err, results)
				}
				for j, v := range results[0].Items {
					if float32(right[j]) != v {
						t.Errorf("%s, columns %v: network %d has %d on example %d, the evaluator %v", b.Kind, columns, id, right[j], j, v)
					}
				}
				if tie != nil && math.Abs(float64(*tie)-results[0].Tie) > 1e-5*math.Abs(results[0].Tie) {
					t.Errorf("%s, columns %v: network %d has a log-likelihood of %v, the evaluator %v", b.Kind, columns, id, *tie, results[0].Tie)
				}
			}
			data, err := Networks(d, flat, p.Merged())
			if err != nil {
				t.Fatal(err)
			}
			o := Options{Archive: 4, Flight: 2, Steps: 10, Alpha: 1, Attraction: true, Crossing: niche.Crossing{Split: true, Chromosomes: flat.Chromosomes}, Sigma: 0.01}
			l, err := New(b.Backend, o, data)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Finalize()
			var seeds [][]float32
			for _, c := range open {
				w, err := flat.Read(c)
				if err != nil {
					t.Fatal(err)
				}
				seeds = append(seeds, w)
			}
			first, err := l.Begin(seeds)
			if err != nil {
				t.Fatal(err)
			}
			for i, c := range first {
				check(c.ID, seeds[i], c.Right, nil)
			}
			if b.Kind == "go" {
				continue // it has no while loop
			}
			var draws []Draw
			for id := uint64(3); id < 13; id++ {
				draws = append(draws, o.Draw(evolve.Draws(4, id)))
			}
			children, err := l.Run(draws)
			if err != nil {
				t.Fatal(err)
			}
			there := map[int]Child{}
			for _, c := range children {
				there[c.Slot] = c
			}
			delete(there, o.Archive)
			if len(there) == 0 {
				t.Fatal("no child was let in")
			}
			var slots []int
			for slot := range there {
				slots = append(slots, slot)
			}
			if err := l.Networks(slots, func(slot int, w []float32) {
				c := there[slot]
				check(c.ID, append([]float32(nil), w...), c.Right, &c.Tie)
			}); err != nil {
				t.Fatal(err)
			}

			broken := make([]float32, end)
			for i := range broken {
				broken[i] = float32(math.NaN())
			}
			all := make([]uint8, data.Examples)
			for j := range all {
				all[j] = 1
			}
			members := make([]Member, o.Archive)
			members[1] = Member{ID: 1, Weights: broken, Right: all}
			if err := l.Restore(members, 2); err != nil {
				t.Fatal(err)
			}
			children, err = l.Run(draws[:2])
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range children {
				if !c.Failed || c.Slot != o.Archive {
					t.Errorf("a child of what is no number: %+v", c)
				}
			}
		}
	}
}
