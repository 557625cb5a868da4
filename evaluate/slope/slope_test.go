package slope_test

import (
	"context"
	"math"
	"path/filepath"
	"testing"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/evaluate/slope"
	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tokenizers/encode"
)

// subject is two parents on a device and a task's examples.
type subject struct {
	pop   *merge.Population
	model *models.Model
	set   *evaluate.Dataset
	b     string
}

func subjects(t *testing.T, dirs [2]string, task evaluate.Task) (out []subject) {
	t.Helper()
	var open []tensors.Source
	for _, dir := range dirs {
		c, err := tensors.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		open = append(open, c)
	}
	p, err := merge.NewParents([]string{"a", "b"}, open, nil, merge.MissingRefuse, false)
	if err != nil {
		t.Fatal(err)
	}
	folder := dirs[0]
	if filepath.Ext(folder) != "" {
		folder = filepath.Dir(folder)
	}
	m, err := models.Load(folder, p.Merged())
	if err != nil {
		t.Fatal(err)
	}
	var sets [3]*evaluate.Dataset
	switch {
	case m.Image != nil:
		sets, err = evaluate.LoadImages(task, m)
	case m.Text == nil:
		sets, err = evaluate.Load(task, m.Input, m.Outputs)
	default:
		var tok *encode.Tokenizer
		if tok, err = encode.Load(folder); err != nil {
			t.Fatal(err)
		}
		sets, err = evaluate.LoadTexts(task, m.Text, tok)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range xlatest.Backends(t) {
		pop, err := merge.Load(b.Backend, p)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pop.Finalize)
		out = append(out, subject{pop, m, sets[0], b.Kind})
	}
	return out
}

// at is a merge by a method, at weights in [0, 1] of the range [-1, 2].
func at(method string, part merge.Part, dtype tensors.DType) func(u []float64) (*merge.Spec, error) {
	m, _ := merge.Lookup(method)
	return func(u []float64) (*merge.Spec, error) {
		var source []merge.Values
		for _, x := range u {
			v := m.NewValues()
			v.Set("weight", 3*x-1)
			source = append(source, v)
		}
		global := m.NewValues()
		return &merge.Spec{Method: m, Parts: []merge.Part{part}, DType: dtype, Params: func(string) (merge.Values, []merge.Values) { return global, source }}, nil
	}
}

var (
	digits = [2]string{"../../testdata/mnist/mlp/base.safetensors", "../../testdata/mnist/mlp/rot90.safetensors"}
	turned = evaluate.Task{Name: "rot90", Data: "../../testdata/mnist/val.safetensors", Inputs: "images", Targets: "labels", Rotate: 90, Limit: 128}
	onBase = merge.Part{Base: 0, Inputs: []int{1}}
	both   = merge.Part{Base: -1, Inputs: []int{0, 1}}
)

func one(string) float64 { return 1 }

// The gradient through the merge is the difference quotient of the objective, of images
// and of texts.
func TestGradientIsDifferenceQuotient(t *testing.T) {
	encoder := "../testdata/encoder"
	images := "../testdata/images"
	blobs := evaluate.Task{Name: "blobs", Kind: evaluate.Classification, Data: images + "/last.safetensors", Inputs: "images", Targets: "labels", Limit: 8}
	compared := blobs
	compared.Features = images + "/texts.safetensors"
	texts := evaluate.Task{Name: "two", Kind: evaluate.Classification, Data: encoder + "/two.jsonl", Text: "text", Label: "label", Head: encoder + "/two.safetensors", MaxLength: 24, Limit: 8}
	for _, c := range []struct {
		name   string
		of     []subject
		method string
		part   merge.Part
		from   []float64
		o      slope.Objective
	}{
		{"loss", subjects(t, digits, turned), "task_arithmetic", onBase, []float64{0.5}, slope.Loss},
		{"entropy", subjects(t, digits, turned), "task_arithmetic", onBase, []float64{0.5}, slope.Entropy},
		{"ties", subjects(t, digits, turned), "ties", onBase, []float64{0.55}, slope.Loss},
		{"texts", subjects(t, [2]string{encoder, encoder + "-b"}, texts)[:1], "linear", both, []float64{0.5, 0.6}, slope.Loss},
		{"vit", subjects(t, [2]string{images + "/vit", images + "/vit-b"}, blobs)[:1], "linear", both, []float64{0.5, 0.6}, slope.Loss},
		{"clip", subjects(t, [2]string{images + "/clip", images + "/clip-b"}, compared)[:1], "linear", both, []float64{0.5, 0.6}, slope.Loss},
	} {
		for _, s := range c.of {
			t.Run(c.name+"/"+s.b, func(t *testing.T) {
				sl, err := slope.New(s.pop, s.model, []*evaluate.Dataset{s.set}, one, c.o, s.set.Len(), 1)
				if err != nil {
					t.Fatal(err)
				}
				defer sl.Finalize()
				spec := at(c.method, c.part, 0)
				value := func(u []float64) float64 {
					x, err := spec(u)
					if err != nil {
						t.Fatal(err)
					}
					v, _, err := sl.At(t.Context(), s.pop.Kind(x), x, 0)
					if err != nil {
						t.Fatal(err)
					}
					return v
				}
				x, _ := spec(c.from)
				_, got, err := slope.Descent{Spec: spec}.Gradient(t.Context(), sl, s.pop.Kind(x), c.from, 0)
				if err != nil {
					t.Fatal(err)
				}
				for i := range c.from {
					const h = 5e-3
					lo, hi := append([]float64(nil), c.from...), append([]float64(nil), c.from...)
					lo[i], hi[i] = lo[i]-h, hi[i]+h
					want := (value(hi) - value(lo)) / (2 * h)
					if math.Abs(got[i]-want) > 0.02*math.Abs(want)+1e-3 {
						t.Errorf("gradient %d is %g, the difference quotient %g", i, got[i], want)
					}
				}
			})
		}
	}
}

// A descent lowers the loss, rounded weights or not, and comes out the same again.
func TestDescent(t *testing.T) {
	for _, s := range subjects(t, digits, turned) {
		for _, dtype := range []tensors.DType{tensors.F32, tensors.BF16} {
			t.Run(s.b+"/"+dtype.String(), func(t *testing.T) {
				run := func() (first, last float64, end []float64) {
					sl, err := slope.New(s.pop, s.model, []*evaluate.Dataset{s.set}, one, slope.Loss, 32, 1)
					if err != nil {
						t.Fatal(err)
					}
					defer sl.Finalize()
					end, err = slope.Descent{Steps: 30, Rate: 0.03, Spec: at("task_arithmetic", onBase, dtype), Progress: func(step int, v float64) {
						if step == 0 {
							first = v
						}
						last = v
					}}.Run(context.Background(), sl, []float64{1.0 / 3})
					if err != nil {
						t.Fatal(err)
					}
					return first, last, end
				}
				first, last, end := run()
				if last > 0.5*first {
					t.Errorf("the loss goes from %g to %g", first, last)
				}
				if w := 3*end[0] - 1; w < 0.6 {
					t.Errorf("the weight of the model that knows the digits ends at %g", w)
				}
				if _, _, again := run(); again[0] != end[0] {
					t.Errorf("ends at %g, then at %g", end[0], again[0])
				}
			})
		}
	}
}
