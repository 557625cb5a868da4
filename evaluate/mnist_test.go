package evaluate_test

import (
	"context"
	"math"
	"path/filepath"
	"testing"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

const mnist = "../testdata/mnist"

func parents(t testing.TB, arch string) (*merge.Parents, *models.Model) {
	t.Helper()
	names := []string{"base", "low", "high", "rot90"}
	var open []*tensors.Checkpoint
	for _, n := range names {
		c, err := tensors.Open(filepath.Join(mnist, arch, n+".safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
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
	if err := m.Check(p.Merged()); err != nil {
		t.Fatal(err)
	}
	return p, m
}

func dataset(t testing.TB, m *models.Model, name, file string, rotate int) *evaluate.Dataset {
	t.Helper()
	parts, err := evaluate.Load(evaluate.Task{Name: name, Data: filepath.Join(mnist, file), Inputs: "images", Targets: "labels", Rotate: rotate}, m.Input, m.Outputs)
	if err != nil {
		t.Fatal(err)
	}
	return parts[evaluate.Search]
}

// linear is a spec that takes the parents with the given weights.
func linear(w ...float64) evaluate.Model {
	m, _ := merge.Lookup("linear")
	s := &merge.Spec{Method: m, Parts: []merge.Part{{Base: -1}}}
	var source []merge.Values
	for i, x := range w {
		s.Parts[0].Inputs = append(s.Parts[0].Inputs, i)
		v := m.NewValues()
		v.Set("weight", x)
		source = append(source, v)
	}
	global := m.NewValues()
	s.Params = func(string) (merge.Values, []merge.Values) { return global, source }
	return evaluate.Model{Spec: s}
}

// Accuracies computed with numpy on the same weights and 4,000 test digits.
func TestParentsScoreAsInTorch(t *testing.T) {
	want := map[string][4][2]float64{
		"mlp": {{0.8867, 0.0938}, {0.4925, 0.1250}, {0.4775, 0.1163}, {0.2335, 0.9370}},
	}
	for _, b := range xlatest.Backends(t) {
		for _, arch := range []string{"mlp", "cnn"} {
			if arch == "cnn" && b.Kind == "go" {
				continue // minutes; its layers are compared on small input
			}
			p, m := parents(t, arch)
			pop, err := merge.Load(b.Backend, p)
			if err != nil {
				t.Fatal(err)
			}
			sets := []*evaluate.Dataset{dataset(t, m, "all", "test.safetensors", 0), dataset(t, m, "rot90", "test.safetensors", 90)}
			d, err := evaluate.OnDevice(pop, m, sets, evaluate.NewPlan(m, 4, 8000, false))
			if err != nil {
				t.Fatal(err)
			}
			res, err := d.Evaluate(context.Background(), []evaluate.Model{linear(1, 0, 0, 0), linear(0, 1, 0, 0), linear(0, 0, 1, 0), linear(0, 0, 0, 1)})
			if err != nil {
				t.Fatal(err)
			}
			for i, r := range res {
				t.Log(b.Kind, arch, r.Tasks, r.Tie, r.Err)
				if w, ok := want[arch]; ok {
					if math.Abs(r.Tasks["all"]-w[i][0]) > 6e-5 || math.Abs(r.Tasks["rot90"]-w[i][1]) > 6e-5 {
						t.Errorf("%s %s parent %d: %v, want %v", b.Kind, arch, i, r.Tasks, w[i])
					}
				}
			}
			d.Finalize()
			pop.Finalize()
		}
	}
}
