package evaluate_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/internal/xla"
	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// arena is an evaluator over a few digits, upright and turned.
func arena(t testing.TB, b *xla.Backend, p *merge.Parents, m *models.Model, plan evaluate.Plan) *evaluate.Device {
	t.Helper()
	return arenaBy(t, b, p, m, plan, evaluate.Accuracy)
}

// arenaBy is arena with another metric.
func arenaBy(t testing.TB, b *xla.Backend, p *merge.Parents, m *models.Model, plan evaluate.Plan, metric string) *evaluate.Device {
	t.Helper()
	return arenaAt(t, b, p, m, plan, metric, merge.OnDevice)
}

// arenaAt is arenaBy with the parents at a place.
func arenaAt(t testing.TB, b *xla.Backend, p *merge.Parents, m *models.Model, plan evaluate.Plan, metric string, at merge.Placement) *evaluate.Device {
	t.Helper()
	pop, err := merge.LoadTo(b.Backend, p, at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pop.Finalize)
	var sets []*evaluate.Dataset
	for _, rotate := range []int{0, 90} {
		task := digits(evaluate.Task{Rotate: rotate, Limit: 90, Metric: metric})
		parts, err := evaluate.Load(task, m.Input, m.Outputs)
		if err != nil {
			t.Fatal(err)
		}
		d := parts[evaluate.Search]
		d.Name = []string{"all", "rot90"}[rotate/90]
		sets = append(sets, d)
	}
	d, err := evaluate.OnDevice(pop, m, sets, plan)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Finalize)
	return d
}

// random draws merges of one method over the MNIST parents.
func random(method string, n int, dtype tensors.DType) []evaluate.Model {
	m, _ := merge.Lookup(method)
	rng := rand.New(rand.NewPCG(9, 9))
	var out []evaluate.Model
	for range n {
		s := &merge.Spec{Method: m, Parts: []merge.Part{{Base: -1, Inputs: []int{1, 2, 3}}}, Seed: 3, DType: dtype}
		if m.Base == merge.BaseRequired {
			s.Parts[0].Base = 0
		}
		if m.MaxSources > 0 {
			s.Parts[0].Inputs = s.Parts[0].Inputs[:m.MaxSources]
		}
		global := m.NewValues()
		if _, ok := m.Param("t"); ok {
			global.Set("t", rng.Float64())
		}
		var source []merge.Values
		for range s.Parts[0].Inputs {
			v := m.NewValues()
			for _, p := range m.Params {
				switch p.Name {
				case "weight":
					v.Set("weight", rng.Float64())
				case "density":
					v.Set("density", math.Round(1024*(0.2+0.7*rng.Float64()))/1024)
				case "epsilon":
					if p.PerSource {
						v.Set("epsilon", 0.09) // less than any density is from 0 or 1
					}
				}
			}
			source = append(source, v)
		}
		s.Params = func(string) (merge.Values, []merge.Values) { return global, source }
		out = append(out, evaluate.Model{Spec: s})
	}
	return out
}

func evaluateAll(t testing.TB, d *evaluate.Device, pop []evaluate.Model) []evaluate.Result {
	t.Helper()
	res, err := d.Evaluate(context.Background(), pop)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range res {
		if r.Err != nil {
			t.Fatalf("candidate %d: %v", i, r.Err)
		}
	}
	return res
}

func equal(a, b evaluate.Result) bool {
	return a.Tie == b.Tie && a.Outputs == b.Outputs && slices.Equal(a.Items, b.Items) && a.Tasks["all"] == b.Tasks["all"] && a.Tasks["rot90"] == b.Tasks["rot90"]
}

// By log-likelihood, items are those of the right classes, and candidates that answer
// alike but with other certainty have other outputs.
func TestLogLikelihood(t *testing.T) {
	for _, b := range xlatest.Backends(t) {
		p, m := parents(t, "mlp")
		plan := evaluate.Plan{Slice: 1, Unrolled: true, Rows: 100}
		pop := []evaluate.Model{linear(1, 0, 0, 0)}
		d := arenaBy(t, b, p, m, plan, evaluate.LogLikelihood)
		right, got := evaluateAll(t, arena(t, b, p, m, plan), pop)[0], evaluateAll(t, d, pop)[0]
		if !slices.Equal(got.Predicted, right.Predicted) || got.Tie != right.Tie || got.Outputs == right.Outputs {
			t.Errorf("%s: answers differ, or outputs are the same", b.Kind)
		}
		for i, l := range got.Items {
			if l > 0 || right.Items[i] == 0 && l > float32(-math.Ln2)+1e-6 {
				t.Errorf("%s: item %d is %g, answered right: %g", b.Kind, i, l, right.Items[i])
			}
		}
		near(t, b.Kind, (got.Tasks["all"]+got.Tasks["rot90"])/2, got.Tie)
	}
}

// The model that was scored is the model written: a written candidate, scored as a
// merge of itself in the same shapes, has the same score to the last bit of its
// log-likelihood, in every method and output type.
func TestWrittenScoresAsScored(t *testing.T) {
	for _, b := range xlatest.Backends(t) {
		p, m := parents(t, "mlp")
		plan := evaluate.Plan{Slice: 4, Unrolled: true, Rows: 180}
		d := arena(t, b, p, m, plan)
		for _, method := range merge.Methods() {
			for _, dtype := range []tensors.DType{0, tensors.BF16} {
				if dtype == tensors.BF16 && method.Name != "linear" && method.Name != "ties" {
					continue
				}
				if method.Statistic != nil {
					continue // the command's script of statistics writes and scores these
				}
				pop := random(method.Name, 1, dtype)
				for i, scored := range evaluateAll(t, d, pop) {
					dir := filepath.Join(t.TempDir(), "out")
					w, err := tensors.Create(dir, merge.Layout(pop[i].Spec, p), tensors.Options{})
					if err != nil {
						t.Fatal(err)
					}
					if err := merge.Apply(context.Background(), b.Backend, pop[i].Spec, p, w, merge.ApplyOptions{}); err != nil {
						t.Fatal(err)
					}
					if err := w.Commit(); err != nil {
						t.Fatal(err)
					}
					c, err := tensors.Open(dir)
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { c.Close() })
					alone, err := merge.NewParents([]string{"written"}, []*tensors.Checkpoint{c}, nil, merge.MissingRefuse, false)
					if err != nil {
						t.Fatal(err)
					}
					again := evaluateAll(t, arena(t, b, alone, m, plan), []evaluate.Model{linear(1)})[0]
					if !equal(scored, again) {
						t.Errorf("%s %s %s: scored %v %.17g, written %v %.17g", b.Kind, method.Name, dtype, scored.Tasks, scored.Tie, again.Tasks, again.Tie)
					}
				}
			}
		}
	}
}

// A candidate's score does not depend on its place in the population, nor on who
// else is in it.
func TestScoresDoNotDependOnCompany(t *testing.T) {
	for _, b := range xlatest.Backends(t) {
		p, m := parents(t, "mlp")
		d := arena(t, b, p, m, evaluate.Plan{Slice: 4, Unrolled: true, Rows: 180})
		pop := random("ties", 7, 0)
		together := evaluateAll(t, d, pop)
		for i := range pop {
			if one := evaluateAll(t, d, pop[i:i+1])[0]; !equal(one, together[i]) {
				t.Errorf("%s: candidate %d scores %.17g alone and %.17g in company", b.Kind, i, one.Tie, together[i].Tie)
			}
		}
	}
}

// All layouts score alike but for the last bits.
func TestPlansAgree(t *testing.T) {
	b := xlatest.Fastest(t)
	for _, arch := range []string{"mlp", "cnn"} {
		p, m := parents(t, arch)
		pop := random("task_arithmetic", 3, 0)
		want := evaluateAll(t, arena(t, b, p, m, evaluate.Plan{Slice: 1, Unrolled: true, Rows: 180}), pop)
		for _, plan := range []evaluate.Plan{{Slice: 3, Unrolled: true, Rows: 180}, {Slice: 3, Rows: 180}, {Slice: 2, Rows: 70}} {
			d := arena(t, b, p, m, plan)
			for i, r := range evaluateAll(t, d, pop) {
				if math.Abs(r.Tie-want[i].Tie) > 1e-4 || r.Tasks["all"] != want[i].Tasks["all"] {
					t.Errorf("%s %+v: %v %.9g, want %v %.9g", arch, plan, r.Tasks, r.Tie, want[i].Tasks, want[i].Tie)
				}
			}
			slices := (len(pop) + plan.Slice - 1) / plan.Slice
			calls := slices * ((180 + plan.Rows - 1) / plan.Rows)
			if arch == "cnn" {
				calls += slices // whose weights are made before
			}
			if d.Calls() != calls {
				t.Errorf("%s %+v: %d device calls, want %d", arch, plan, d.Calls(), calls)
			}
		}
	}
}

// Unrolled graphs are for few weights: compiling them grows with both.
func TestNewPlan(t *testing.T) {
	_, m := parents(t, "mlp")
	if p := evaluate.NewPlan(m, 16, 3000, false); p != (evaluate.Plan{Slice: 16, Unrolled: true, Rows: 3000}) {
		t.Errorf("a small model on a CPU: %+v", p)
	}
	if p := evaluate.NewPlan(m, 16, 3000, true); p.Unrolled {
		t.Errorf("on a GPU: %+v", p)
	}
	if p := evaluate.NewPlan(m, 200, 3000, false); p.Unrolled || p.Slice != 200 {
		t.Errorf("a large population: %+v", p)
	}
	if p := evaluate.NewPlan(m, 16, 1e6, false); p.Rows >= 1e6 || p.Rows < 1000 {
		t.Errorf("many examples: %+v", p)
	}
}

// A candidate that fails is a value: the others have their scores.
func TestFailedCandidate(t *testing.T) {
	b := xlatest.Backends(t)[0]
	p, m := parents(t, "mlp")
	d := arena(t, b, p, m, evaluate.Plan{Slice: 3, Unrolled: true, Rows: 180})
	res, err := d.Evaluate(context.Background(), []evaluate.Model{linear(1, 0, 0, 0), linear(1, -1, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	if res[0].Err != nil {
		t.Errorf("the good one failed: %v", res[0].Err)
	}
	if res[1].Err == nil || !strings.Contains(res[1].Err.Error(), "the weights sum to 0") {
		t.Errorf("weights that cancel: %v", res[1].Err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := d.Evaluate(ctx, []evaluate.Model{linear(1, 0, 0, 0)}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// A device call that fails where the same graph ran before is the candidates'
// failure, not the run's.
func TestFailedCall(t *testing.T) {
	for _, b := range xlatest.Backends(t) {
		p, m := parents(t, "mlp")
		d := arena(t, b, p, m, evaluate.Plan{Slice: 2, Unrolled: true, Rows: 180})
		pop := []evaluate.Model{linear(1, 0, 0, 0), linear(0, 1, 0, 0)}
		evaluateAll(t, d, pop)
		d.Finalize() // its examples are gone
		res, err := d.Evaluate(context.Background(), pop)
		if err != nil {
			t.Fatalf("%s: the run ended: %v", b.Kind, err)
		}
		for i, r := range res {
			if r.Err == nil || strings.Contains(r.Err.Error(), "\n") {
				t.Errorf("%s: candidate %d: %v, want one line", b.Kind, i, r.Err)
			}
		}
	}
}

func TestInterval(t *testing.T) {
	layout := []evaluate.ItemRange{{Task: "a", Offset: 0, Count: 4}, {Task: "b", Offset: 4, Count: 4}}
	items := []float32{1, 1, 0, 0, 1, 0, 1, 0}
	weights := map[string]float64{"a": 1, "b": 3}
	keys := make([]evaluate.Key, 8)
	for i := range keys {
		keys[i][0] = byte(i)
	}
	apart := evaluate.Mean(layout, keys, weights, items)
	// Independent examples: variance sum_t w_t^2 p(1-p)/n = (1/16 + 9/16) 0.25/4.
	if want := 1.959964 * math.Sqrt(10.0/16*0.25/4); apart.Mean != 0.5 || math.Abs(apart.Half-want) > 1e-9 {
		t.Errorf("got %+v, want 0.5 ± %g", apart, want)
	}
	for i := range keys {
		keys[i][0] = byte(i % 4) // the same images in both tasks
	}
	if paired := evaluate.Mean(layout, keys, weights, []float32{1, 1, 0, 0, 1, 1, 0, 0}); paired.Half <= apart.Half {
		t.Errorf("answers that go together are worth less: %+v against %+v", paired, apart)
	}
	if gap := evaluate.Gap(layout, keys, weights, items, items); gap.Mean != 0 || gap.Half != 0 {
		t.Errorf("a gap to itself: %+v", gap)
	}
}
