package statistics_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gomlx/compute"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/evaluate/statistics"
	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tokenizers/encode"
)

// subject is a model of testdata with a task's first examples.
type subject struct {
	model  *models.Model
	source *tensors.Checkpoint
	set    *evaluate.Dataset
}

func load(t testing.TB, dir string, task evaluate.Task, most int) subject {
	t.Helper()
	c, err := tensors.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	m, err := models.Load(dir, c.Tensors())
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
		if tok, err = encode.Load(dir); err != nil {
			t.Fatal(err)
		}
		sets, err = evaluate.LoadTexts(task, m.Text, tok)
	}
	if err != nil {
		t.Fatal(err)
	}
	d := *sets[0]
	d.Inputs = d.Inputs[:len(d.Inputs)/d.Len()*most]
	d.Labels, d.Keys = d.Labels[:most], d.Keys[:most]
	if d.Options != nil {
		n := 0
		for _, o := range d.Options[:most] {
			n += o
		}
		d.Options, d.Sequences = d.Options[:most], d.Sequences[:n]
	}
	return subject{m, c, &d}
}

func (s subject) network(t testing.TB, b compute.Backend) *statistics.Network {
	t.Helper()
	n, err := statistics.Load(b, s.model, s.source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Finalize)
	return n
}

func images(dir string) evaluate.Task {
	return evaluate.Task{Name: dir, Kind: evaluate.Classification, Data: filepath.Join("testdata", dir, "data.safetensors"), Inputs: "images", Targets: "labels"}
}

// blobs are images for the tiny models of images.
func blobs(features string) evaluate.Task {
	dir := filepath.Join("..", "testdata", "images")
	task := evaluate.Task{Name: "blobs", Kind: evaluate.Classification, Data: filepath.Join(dir, "last.safetensors"), Inputs: "images", Targets: "labels"}
	if features != "" {
		task.Features = filepath.Join(dir, features)
	}
	return task
}

func texts(name, kind string) evaluate.Task {
	return evaluate.Task{Name: name, Kind: kind, Data: filepath.Join("..", "testdata", name), Text: "text", Label: "label", Prompt: "prompt", Choices: "choices"}
}

func heads(name, pooling string, longest int) evaluate.Task {
	task := texts("encoder/"+name+".jsonl", evaluate.Classification)
	task.Head, task.Pooling, task.MaxLength = filepath.Join("..", "testdata", "encoder", name+".safetensors"), pooling, longest
	return task
}

// like compares a file with the reference's: to tol of each tensor's largest magnitude,
// or to nothing beside the file's largest where a tensor's are 0 but for rounding, as
// those of a bias that a softmax takes out again.
// Tensors that the reference lacks must be 0 in all unless some may be missing in it.
func like(t *testing.T, got, want string, tol float64, some bool) {
	t.Helper()
	a, err := tensors.Open(got)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := tensors.Open(want)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var top float64
	for _, info := range b.Tensors() {
		for _, v := range values(t, b, info.Name) {
			top = max(top, math.Abs(float64(v)))
		}
	}
	for _, info := range b.Tensors() {
		have, ok := a.Lookup(info.Name)
		if !ok || !slices.Equal(have.Shape, info.Shape) {
			t.Errorf("%s has shape %v, want %v", info.Name, have.Shape, info.Shape)
			continue
		}
		x, y := values(t, a, info.Name), values(t, b, info.Name)
		var largest, worst float64
		for i := range y {
			largest = max(largest, math.Abs(float64(y[i])))
			worst = max(worst, math.Abs(float64(x[i])-float64(y[i])))
		}
		if worst > max(tol*largest, 1e-11*top) || top == 0 {
			t.Errorf("%s is off by %g of %g", info.Name, worst, largest)
		}
	}
	for _, info := range a.Tensors() {
		if _, ok := b.Lookup(info.Name); ok || some {
			continue
		}
		if x := values(t, a, info.Name); slices.ContainsFunc(x, func(v float32) bool { return v != 0 }) {
			t.Errorf("%s is not 0, and the reference lacks it", info.Name)
		}
	}
}

func values(t testing.TB, c *tensors.Checkpoint, name string) []float32 {
	t.Helper()
	info, _ := c.Lookup(name)
	x := make([]float32, info.Len())
	if err := c.ReadAt(x, name, 0); err != nil {
		t.Fatal(err)
	}
	return x
}

func fisher(t testing.TB, b compute.Backend, s subject, l statistics.Labels) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "fisher.safetensors")
	if err := s.network(t, b).Fisher(context.Background(), []*evaluate.Dataset{s.set}, l, s.source, to, nil, statistics.Options{}); err != nil {
		t.Fatal(err)
	}
	return to
}

// The diagonal Fisher information is that of one backward pass an example and answer in
// torch, in float64.
func TestFisherLikeTorch(t *testing.T) {
	decoder, pictures := filepath.Join("..", "testdata", "decoder"), filepath.Join("..", "testdata", "images")
	encoder := filepath.Join("..", "testdata", "encoder")
	for _, c := range []struct {
		want   string
		s      subject
		labels statistics.Labels
		some   bool
	}{
		{"mlp.fisher", load(t, "testdata/mlp", images("mlp"), 6), statistics.Labels{}, false},
		{"mlp.empirical", load(t, "testdata/mlp", images("mlp"), 6), statistics.Labels{Given: true}, false},
		{"cnn.fisher", load(t, "testdata/cnn", images("cnn"), 6), statistics.Labels{}, false},
		{"two.fisher", load(t, encoder, heads("two", "mean", 24), 4), statistics.Labels{}, false},
		{"five.fisher", load(t, encoder, heads("five", "cls", 16), 4), statistics.Labels{}, false},
		{"texts.given", load(t, decoder, plain(texts("decoder/texts.jsonl", evaluate.PerplexityKind)), 4), statistics.Labels{Given: true}, true},
		{"texts.sampled", load(t, decoder, plain(texts("decoder/texts.jsonl", evaluate.PerplexityKind)), 4), statistics.Labels{Samples: 2, Seed: 3}, true},
		{"vit.fisher", load(t, filepath.Join(pictures, "vit"), blobs(""), 3), statistics.Labels{}, false},
		{"clip.fisher", load(t, filepath.Join(pictures, "clip"), blobs("texts.safetensors"), 3), statistics.Labels{}, true},
		{"choices.fisher", load(t, decoder, texts("decoder/choices.jsonl", evaluate.Choice), 4), statistics.Labels{}, true},
	} {
		for i, b := range xlatest.Backends(t) {
			if i > 0 && slices.Contains([]string{"mlp.empirical", "five.fisher", "texts.given", "clip.fisher"}, c.want) {
				continue // compiled for little that is new
			}
			t.Run(c.want+"/"+b.Kind, func(t *testing.T) {
				like(t, fisher(t, b.Backend, c.s, c.labels), filepath.Join("testdata", c.want+".safetensors"), 1e-5, c.some)
			})
		}
	}
}

// plain counts all tokens of the texts.
func plain(task evaluate.Task) evaluate.Task {
	task.Prompt = ""
	return task
}

// The square of a whole batch's gradient is another thing.
func TestFisherIsNoBatchSquare(t *testing.T) {
	got, err := tensors.Open(fisher(t, xlatest.Fastest(t).Backend, load(t, "testdata/mlp", images("mlp"), 6), statistics.Labels{Given: true}))
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	batch, err := tensors.Open("testdata/batch.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Close()
	for _, info := range batch.Tensors() {
		x, y := values(t, got, info.Name), values(t, batch, info.Name)
		var a, b float64
		for i := range x {
			// Cauchy and Schwarz: the square of the mean is at most the mean of the squares.
			if float64(y[i]) > float64(x[i])*(1+1e-5)+1e-12 {
				t.Errorf("%s[%d]: the batch's square %g is more than the mean square %g", info.Name, i, y[i], x[i])
			}
			a, b = a+float64(x[i]), b+float64(y[i])
		}
		if b > 0.9*a {
			t.Errorf("%s: the batch's squares sum to %g, the examples' to %g", info.Name, b, a)
		}
	}
}

// Logistic regression has a closed form: F = mean of p (1-p) x^2 for the difference of
// two logits, here of each class's own weights.
func TestFisherOfLogisticRegression(t *testing.T) {
	dir := t.TempDir()
	config := `{"model_type": "sequential", "input": {"shape": [3]}, "layers": [{"op": "linear", "name": "fc", "in": 3, "out": 2}]}`
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	weight, bias := []float32{0.5, -1, 2, 0.25, 1, -0.5}, []float32{0.1, -0.2}
	write(t, filepath.Join(dir, "model.safetensors"), map[string][]float32{"fc.weight": weight, "fc.bias": bias}, map[string][]int{"fc.weight": {2, 3}, "fc.bias": {2}})
	x := []float32{1, 2, 3, -1, 0.5, 0, 0.3, -2, 1, 2, 2, -1, 0, 0, 1}
	write(t, filepath.Join(dir, "data.safetensors"), map[string][]float32{"images": x}, map[string][]int{"images": {5, 3}})
	s := load(t, dir, labelled(t, dir, 5), 5)
	var want [8]float64 // weight, bias
	for i := range 5 {
		logit := float64(bias[1] - bias[0])
		for j := range 3 {
			logit += float64(x[3*i+j]) * float64(weight[3+j]-weight[j])
		}
		p := 1 / (1 + math.Exp(-logit))
		for c := range 2 {
			for j := range 3 {
				want[3*c+j] += p * (1 - p) * float64(x[3*i+j]*x[3*i+j]) / 5
			}
			want[6+c] += p * (1 - p) / 5
		}
	}
	for _, b := range xlatest.Backends(t) {
		c, err := tensors.Open(fisher(t, b.Backend, s, statistics.Labels{}))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for i, v := range append(values(t, c, "fc.weight"), values(t, c, "fc.bias")...) {
			if math.Abs(float64(v)-want[i]) > 1e-6*want[i] {
				t.Errorf("%s: F[%d] = %g, want %g", b.Kind, i, v, want[i])
			}
		}
	}
}

// labelled puts labels beside a folder's images.
func labelled(t *testing.T, dir string, n int) evaluate.Task {
	t.Helper()
	c, err := tensors.Open(filepath.Join(dir, "data.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	info, _ := c.Lookup("images")
	file := filepath.Join(dir, "labelled.safetensors")
	w, err := tensors.Create("", []tensors.Info{info, {Name: "labels", DType: tensors.U8, Shape: []int{n}}}, tensors.Options{Single: file})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	raw, err := c.Raw("images")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.WriteBytes("images", 0, raw), w.WriteBytes("labels", 0, make([]byte, n)), w.Commit()); err != nil {
		t.Fatal(err)
	}
	return evaluate.Task{Name: "x", Kind: evaluate.Classification, Data: file, Inputs: "images", Targets: "labels"}
}

func write(t *testing.T, file string, data map[string][]float32, shapes map[string][]int) {
	t.Helper()
	var layout []tensors.Info
	for name := range data {
		layout = append(layout, tensors.Info{Name: name, DType: tensors.F32, Shape: shapes[name]})
	}
	w, err := tensors.Create("", layout, tensors.Options{Single: file})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for name, x := range data {
		b := make([]byte, 4*len(x))
		if err := errors.Join(tensors.Encode(b, x, tensors.F32), w.WriteBytes(name, 0, b)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}

// Gram matrices are those that torch's forward hooks see.
func TestGramsLikeTorch(t *testing.T) {
	gpt2 := texts("decoder-gpt2/writing.jsonl", evaluate.PerplexityKind)
	gpt2.Text, gpt2.Prompt = "prompt", ""
	for _, c := range []struct {
		want string
		s    subject
	}{
		{"mlp.gram", load(t, "testdata/mlp", images("mlp"), 6)},
		{"cnn.gram", load(t, "testdata/cnn", images("cnn"), 6)},
		{"vit.gram", load(t, filepath.Join("..", "testdata", "images", "vit"), blobs(""), 3)},
		{"two.gram", load(t, filepath.Join("..", "testdata", "encoder"), heads("two", "mean", 24), 4)},
		{"gpt2.gram", load(t, filepath.Join("..", "testdata", "decoder-gpt2"), gpt2, 4)},
	} {
		for _, b := range xlatest.Backends(t) {
			t.Run(c.want+"/"+b.Kind, func(t *testing.T) {
				to := filepath.Join(t.TempDir(), "gram.safetensors")
				if err := c.s.network(t, b.Backend).Grams(context.Background(), []*evaluate.Dataset{c.s.set}, to, nil, statistics.Options{}); err != nil {
					t.Fatal(err)
				}
				like(t, to, filepath.Join("testdata", c.want+".safetensors"), 1e-5, false)
			})
		}
	}
}

// Where there is little room tensors are measured in parts, to the same numbers.
func TestInParts(t *testing.T) {
	mlp, encoder := load(t, "testdata/mlp", images("mlp"), 6), load(t, filepath.Join("..", "testdata", "encoder"), heads("two", "mean", 24), 4)
	for _, b := range xlatest.Backends(t)[:1] { // each part is compiled elsewhere
		steps := 0
		o := statistics.Options{Room: 1, Progress: func(int, int) { steps++ }}
		for want, measure := range map[string]func(to string) error{
			"mlp.fisher": func(to string) error {
				return mlp.network(t, b.Backend).Fisher(context.Background(), []*evaluate.Dataset{mlp.set}, statistics.Labels{}, mlp.source, to, nil, o)
			},
			"two.gram": func(to string) error {
				return encoder.network(t, b.Backend).Grams(context.Background(), []*evaluate.Dataset{encoder.set}, to, nil, o)
			},
		} {
			to := filepath.Join(t.TempDir(), "statistic.safetensors")
			steps = 0
			if err := measure(to); err != nil {
				t.Fatal(err)
			}
			if steps < 8 {
				t.Errorf("%s on %s: %d steps, which are no parts", want, b.Kind, steps)
			}
			like(t, to, filepath.Join("testdata", want+".safetensors"), 1e-5, false)
		}
	}
}

// A measurement that is ended anywhere continues to the same bytes, in the parts that it
// began in, and nothing is left.
func TestContinued(t *testing.T) {
	for _, room := range []int64{0, 1} {
		t.Run(fmt.Sprint("room ", room), func(t *testing.T) { continued(t, room) })
	}
}

func continued(t *testing.T, room int64) {
	b := xlatest.Backends(t)[0].Backend // compiles nothing
	s := load(t, "testdata/mlp", images("mlp"), 6)
	n := s.network(t, b)
	dir := t.TempDir()
	measure := func(ctx context.Context, to string, o statistics.Options) error {
		return n.Fisher(ctx, []*evaluate.Dataset{s.set}, statistics.Labels{}, s.source, to, map[string]string{"a": "b"}, o)
	}
	whole, all := filepath.Join(dir, "whole.safetensors"), 0
	if err := measure(context.Background(), whole, statistics.Options{Room: room, Progress: func(_, of int) { all = of }}); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	if room == 0 && all != 4 || room == 1 && all < 8 {
		t.Fatalf("%d steps with room %d", all, room)
	}
	for stop := 1; stop < all; stop++ {
		to := filepath.Join(dir, fmt.Sprint(stop, ".safetensors"))
		o := statistics.Options{State: to + ".partial", Identity: "it", Room: room}
		ctx, cancel := context.WithCancel(context.Background())
		o.Progress = func(done, _ int) {
			if done == stop {
				cancel()
			}
		}
		if err := measure(ctx, to, o); !errors.Is(err, context.Canceled) {
			t.Fatalf("an interrupted measurement gives %v", err)
		}
		if _, err := os.Stat(to); err == nil {
			t.Fatal("an interrupted measurement wrote its file")
		}
		other := o
		other.Identity = "something else"
		if err := measure(context.Background(), to, other); !errors.Is(err, statistics.ErrOther) {
			t.Fatalf("another measurement continues: %v", err)
		}
		steps := 0
		o.Progress = func(int, int) { steps++ }
		o.Room = 1 << 40 // by now there is more
		if err := measure(context.Background(), to, o); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(to)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("stopped after %d steps, the file differs", stop)
		}
		if steps != all-stop {
			t.Errorf("stopped after %d of %d steps, %d were made again", stop, all, steps)
		}
		if left, _ := filepath.Glob(to + ".*"); left != nil {
			t.Errorf("left behind: %v", left)
		}
	}
}
