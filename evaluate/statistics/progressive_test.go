package statistics_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/statistics"
	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// twins are a model and its twin, and the merge of both by regmean.
type twins struct {
	subject
	sources []tensors.Source
	sets    [][]*evaluate.Dataset
	parents *merge.Parents
	spec    *merge.Spec
}

// twinned makes the twin that testdata/make.py describes: a number is added to each of
// the model's. of are the twin's examples.
func twinned(t *testing.T, s, of subject) twins {
	t.Helper()
	data, shapes := map[string][]float32{}, map[string][]int{}
	for _, info := range s.source.Tensors() {
		x := values(t, s.source, info.Name)
		for i := range x {
			x[i] += float32(i*37%64-32) / 1024
		}
		data[info.Name], shapes[info.Name] = x, info.Shape
	}
	file := filepath.Join(t.TempDir(), "twin.safetensors")
	write(t, file, data, shapes)
	c, err := tensors.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	w := twins{subject: s, sources: []tensors.Source{s.source, c}, sets: [][]*evaluate.Dataset{{s.set}, {of.set}}}
	if w.parents, err = merge.NewParents([]string{"a", "b"}, w.sources, nil, merge.MissingRefuse, false); err != nil {
		t.Fatal(err)
	}
	regmean, _ := merge.Lookup("regmean")
	w.spec = &merge.Spec{Method: regmean, Parts: []merge.Part{{Base: -1, Inputs: []int{0, 1}}}, Parents: w.parents,
		Params: func(string) (merge.Values, []merge.Values) {
			list := []merge.Values{regmean.NewValues(), regmean.NewValues()}
			list[1].Set("weight", 0.5)
			return regmean.NewValues(), list
		}}
	return w
}

// open begins a measurement.
func (w twins) open(t *testing.T, b compute.Backend, folder, identity string) *statistics.Progressive {
	t.Helper()
	p, err := statistics.NewProgressive(b, w.model, w.sources, folder, identity)
	if err != nil {
		t.Fatal(err)
	}
	files := []tensors.Source{p.File(0), p.File(1)}
	if err := w.parents.Attach(merge.GramMatrices, files, files); err != nil {
		t.Fatal(err)
	}
	return p
}

// The Gram matrices of the last layers are those of torch, where whole models run with
// all layers before merged.
func TestProgressiveLikeTorch(t *testing.T) {
	here := filepath.Join("..", "testdata")
	gpt2 := texts("decoder-gpt2/writing.jsonl", evaluate.PerplexityKind)
	gpt2.Text, gpt2.Prompt = "prompt", ""
	llama := plain(texts("decoder/texts.jsonl", evaluate.PerplexityKind))
	mlp, cnn := load(t, "testdata/mlp", images("mlp"), 6), load(t, "testdata/cnn", images("cnn"), 6)
	encoder, vit := filepath.Join(here, "encoder"), load(t, filepath.Join(here, "images", "vit"), blobs(""), 3)
	for _, c := range []struct {
		want string
		w    twins
	}{
		{"mlp", twinned(t, mlp, mlp)},
		{"cnn", twinned(t, cnn, cnn)},
		{"encoder", twinned(t, load(t, encoder, heads("two", "mean", 24), 4), load(t, encoder, heads("five", "cls", 16), 4))},
		{"vit", twinned(t, vit, vit)},
		{"gpt2", twinned(t, load(t, filepath.Join(here, "decoder-gpt2"), gpt2, 4), load(t, filepath.Join(here, "decoder-gpt2"), gpt2, 2))},
		{"llama", twinned(t, load(t, filepath.Join(here, "decoder"), llama, 4), load(t, filepath.Join(here, "decoder"), llama, 2))},
	} {
		for _, b := range xlatest.Backends(t) {
			t.Run(c.want+"/"+b.Kind, func(t *testing.T) {
				dir := t.TempDir()
				p := c.w.open(t, b.Backend, filepath.Join(dir, "partial"), "it")
				defer p.Close() //nolint:errcheck // nothing is written any more
				if err := p.Measure(context.Background(), c.w.spec, c.w.sets, statistics.Options{}); err != nil {
					t.Fatal(err)
				}
				want, err := tensors.Open(filepath.Join("testdata", c.want+".progressive.safetensors"))
				if err != nil {
					t.Fatal(err)
				}
				defer want.Close()
				for k := range 2 {
					file := filepath.Join(dir, fmt.Sprint(k, ".safetensors"))
					if err := p.Write(k, file, nil); err != nil {
						t.Fatal(err)
					}
					part := filepath.Join(dir, fmt.Sprint(k, ".want.safetensors"))
					if c.w.pick(t, want, fmt.Sprint(k, "/"), part) {
						like(t, file, part, 1e-5, true)
					}
				}
				if c.want == "mlp" || c.want == "cnn" {
					c.w.written(t, b.Backend, filepath.Join(dir, "0.safetensors"))
				}
				if err := p.Remove(); err != nil {
					t.Fatal(err)
				}
				if left, _ := filepath.Glob(filepath.Join(dir, "partial*")); left != nil {
					t.Errorf("left behind: %v", left)
				}
			})
		}
	}
}

// written checks that in a chain of layers, where a stage has no within, the matrices are
// those of the merged model that is written, on the examples of each.
func (w twins) written(t *testing.T, b compute.Backend, measured string) {
	t.Helper()
	dir := t.TempDir()
	merged, again := filepath.Join(dir, "merged.safetensors"), filepath.Join(dir, "again.safetensors")
	out, err := tensors.Create("", merge.Layout(w.spec, w.parents), tensors.Options{Single: merged})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := errors.Join(merge.Apply(t.Context(), b, w.spec, w.parents, out, merge.ApplyOptions{}), out.Commit()); err != nil {
		t.Fatal(err)
	}
	c, err := tensors.Open(merged)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	n := subject{w.model, c, w.set}.network(t, b)
	if err := n.Grams(t.Context(), w.sets[0], again, nil, statistics.Options{}); err != nil {
		t.Fatal(err)
	}
	like(t, measured, again, 1e-6, false)
}

// pick writes the tensors of one model of the reference's file, and reports whether there
// are any.
func (twins) pick(t *testing.T, from *tensors.Checkpoint, prefix, to string) bool {
	t.Helper()
	data, shapes := map[string][]float32{}, map[string][]int{}
	for _, info := range from.Tensors() {
		if name, ok := strings.CutPrefix(info.Name, prefix); ok {
			data[name], shapes[name] = values(t, from, info.Name), info.Shape
		}
	}
	if len(data) > 0 {
		write(t, to, data, shapes)
	}
	return len(data) > 0
}

// A measurement that is ended anywhere continues to the same bytes with the stages that
// are left, and takes up no other one's.
func TestProgressiveContinued(t *testing.T) {
	b := xlatest.Fastest(t).Backend
	mlp := load(t, "testdata/mlp", images("mlp"), 6)
	w := twinned(t, mlp, mlp)
	dir := t.TempDir()
	measure := func(ctx context.Context, folder, to string, told func(done int)) error {
		p := w.open(t, b, folder, "it")
		defer p.Close() //nolint:errcheck // what counts is what is there the next time
		if err := p.Measure(ctx, w.spec, w.sets, statistics.Options{Progress: func(done, _ int) { told(done) }}); err != nil {
			return err
		}
		return errors.Join(p.Write(1, to, map[string]string{"a": "b"}), p.Remove())
	}
	whole := filepath.Join(dir, "whole.safetensors")
	if err := measure(context.Background(), filepath.Join(dir, "p"), whole, func(int) {}); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for _, stop := range []int{1, 3, 5, 8, 11, 13} { // of 16: 2 models, 4 stages, measured and gone through
		folder, to := filepath.Join(dir, fmt.Sprint(stop)), filepath.Join(dir, fmt.Sprint(stop, ".safetensors"))
		ctx, cancel := context.WithCancel(context.Background())
		err := measure(ctx, folder, to, func(done int) {
			if done >= stop {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("an interrupted measurement gives %v", err)
		}
		kept, _ := filepath.Glob(filepath.Join(folder, "stage-*.safetensors"))
		if _, err := statistics.NewProgressive(b, w.model, w.sources, folder, "another"); len(kept) > 0 && !errors.Is(err, statistics.ErrOther) {
			t.Fatalf("another measurement continues: %v", err)
		}
		times := map[string]int64{}
		for _, f := range kept {
			info, err := os.Stat(f)
			if err != nil {
				t.Fatal(err)
			}
			times[f] = info.ModTime().UnixNano()
		}
		again := 0
		err = measure(context.Background(), folder, to, func(int) {
			for _, f := range kept {
				if info, err := os.Stat(f); err != nil || info.ModTime().UnixNano() != times[f] {
					again++
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if again > 0 {
			t.Errorf("stopped after %d steps, stages that were finished were measured again", stop)
		}
		if got, err := os.ReadFile(to); err != nil || !bytes.Equal(got, want) {
			t.Errorf("stopped after %d steps, the file differs (%v)", stop, err)
		}
		if left, _ := filepath.Glob(folder + "*"); !slices.Equal(left, []string{to}) && len(left) > 1 {
			t.Errorf("left behind: %v", left)
		}
	}
}
