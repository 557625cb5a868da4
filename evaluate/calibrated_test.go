package evaluate_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/merge"
)

// tried are the temperatures that a calibrated score is looked for at.
func tried() (list []float64) {
	for i := -8; i <= 8; i++ {
		list = append(list, math.Exp2(float64(i)/4))
	}
	return list
}

// cooler is a set of texts or images whose head says the same at a temperature.
func cooler(d *evaluate.Dataset, temperature float64) *evaluate.Dataset {
	c, h := *d, *d.Head
	c.Name, c.Metric, c.Head = fmt.Sprintf("%g", temperature), evaluate.LogLikelihood, &h
	h.Weight, h.Bias = slices.Clone(h.Weight), slices.Clone(h.Bias)
	for _, list := range [][]float32{h.Weight, h.Bias} {
		for i := range list {
			list[i] /= float32(temperature)
		}
	}
	return &c
}

// The calibrated score of texts is the best log-likelihood that they have with the logits
// divided by any of the temperatures, and its items are those there.
func TestCalibratedTexts(t *testing.T) {
	r := newReader(t, "encoder")
	five := r.load(t, evaluate.Task{Name: "five", Kind: evaluate.Classification, Metric: evaluate.Calibrated, Data: "five.jsonl", Head: "five.safetensors"})
	two := r.load(t, evaluate.Task{Name: "two", Kind: evaluate.Classification, Data: "two.jsonl", Head: "two.safetensors"})
	plain := []*evaluate.Dataset{}
	for _, temperature := range tried() {
		plain = append(plain, cooler(five, temperature))
	}
	for _, b := range xlatest.Backends(t) {
		compareCalibrated(t, b.Kind, r.score(t, b, two, five), two.Len(), r.score(t, b, plain...), five.Len())
	}
}

func TestCalibratedImages(t *testing.T) {
	v := newViewer(t, "vit")
	parts, err := evaluate.LoadImages(imageTask(evaluate.Task{Name: "five", Head: "head.safetensors", Metric: evaluate.Calibrated}), v.model)
	if err != nil {
		t.Fatal(err)
	}
	d := parts[evaluate.Search]
	var plain []*evaluate.Dataset
	for _, temperature := range tried() {
		plain = append(plain, cooler(d, temperature))
	}
	for _, b := range xlatest.Backends(t) {
		pop, err := merge.Load(b.Backend, v.parents)
		if err != nil {
			t.Fatal(err)
		}
		defer pop.Finalize()
		score := func(sets ...*evaluate.Dataset) evaluate.Result {
			e, err := evaluate.Place(pop, v.model, sets, evaluate.Plan{Slice: 1, Rows: 20})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Finalize()
			return scoreSelf(t, e)
		}
		compareCalibrated(t, b.Kind, score(d), 0, score(plain...), d.Len())
	}
}

// compareCalibrated compares n items from a place on with those of the best of the sets of
// n examples each that plain holds, one a temperature.
func compareCalibrated(t *testing.T, what string, got evaluate.Result, at int, plain evaluate.Result, n int) {
	t.Helper()
	best, from := math.Inf(-1), 0
	for i, temperature := range tried() {
		if mean := plain.Tasks[fmt.Sprintf("%g", temperature)]; mean > best {
			best, from = mean, i*n
		}
	}
	if plain.Tasks["1"] > best-1e-3 {
		t.Fatalf("%s: the examples are calibrated already: nothing is shown", what)
	}
	near(t, what, got.Tasks["five"], best)
	for i := range n {
		near(t, what, float64(got.Items[at+i]), float64(plain.Items[from+i]))
	}
}

// Networks of tensors are scored so as texts are, several at once, and each at the
// temperature of its own.
func TestCalibratedTensors(t *testing.T) {
	p, m := parents(t, "mlp")
	plan := evaluate.Plan{Slice: 3, Unrolled: true, Rows: 100}
	pop := []evaluate.Model{linear(1, 0, 0, 0), linear(0, 1, 0, 0), linear(.3, .3, .4, .4)}
	for _, b := range xlatest.Backends(t) {
		best := make([]map[string]float64, len(pop))
		for i := range best {
			best[i] = map[string]float64{"all": math.Inf(-1), "rot90": math.Inf(-1)}
		}
		plain := arenaBy(t, b, p, m, plan, evaluate.LogLikelihood)
		at1 := evaluateAll(t, plain, pop)
		for _, temperature := range tried() {
			for i, r := range evaluateAll(t, plain, lastLayers(pop, 1/temperature)) {
				for task, x := range r.Tasks {
					best[i][task] = max(best[i][task], x)
				}
			}
		}
		for i, r := range evaluateAll(t, arenaBy(t, b, p, m, plan, evaluate.Calibrated), pop) {
			for task, x := range r.Tasks {
				near(t, fmt.Sprint(b.Kind, " candidate ", i, " ", task), x, best[i][task])
				if x < at1[i].Tasks[task]+1e-3 {
					t.Errorf("%s: candidate %d scores %g on %s, no more than at temperature 1", b.Kind, i, x, task)
				}
			}
			if !slices.Equal(r.Predicted, at1[i].Predicted) || r.Outputs == at1[i].Outputs {
				t.Errorf("%s: candidate %d answers otherwise, or has the outputs of another metric", b.Kind, i)
			}
		}
	}
}

// lastLayers are linear merges with the last layer's weights, and so the logits, times a
// factor.
func lastLayers(pop []evaluate.Model, factor float64) []evaluate.Model {
	var out []evaluate.Model
	for _, x := range pop {
		s := *x.Spec
		s.Params = func(name string) (merge.Values, []merge.Values) {
			_, source := x.Spec.Params(name)
			total := 0.0
			for _, v := range source {
				total += v.Get("weight")
			}
			scale := 1 / total
			if name == "fc3.weight" || name == "fc3.bias" {
				scale *= factor
			}
			global, scaled := s.Method.NewValues(), make([]merge.Values, len(source))
			global.Set("normalize", 0)
			for i, v := range source {
				scaled[i] = s.Method.NewValues()
				scaled[i].Set("weight", v.Get("weight")*scale)
			}
			return global, scaled
		}
		out = append(out, evaluate.Model{Spec: &s})
	}
	return out
}
