package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/internal/xla"
	"github.com/mergevo/mergevo/merge/align"
	"github.com/mergevo/mergevo/tensors"
)

// line is what came of a pair.
type line struct {
	Pair int `json:"pair"`
	// Accuracy of both networks on the test images, in %.
	Accuracy [2]float64 `json:"accuracy"`
	// Same is how many of the units have the place that the reference gives them, nil
	// without one.
	Units int  `json:"units"`
	Moved int  `json:"moved"`
	Same  *int `json:"same,omitempty"`
	// Outputs is the largest difference of a logit of B2 from B's, over the largest logit.
	Outputs float64 `json:"outputs"`
	// Ours and Reference are the barriers of the loss before and after: along the way, and
	// at its middle; and of the accuracy, in points.
	Ours      barriers  `json:"ours"`
	Reference *barriers `json:"reference,omitempty"`
	// Vectors is the agreement of singular vectors, the mean over matrices.
	Vectors  [2]float64 `json:"vectors"`
	Distance [2]float64 `json:"distance"`
	Seconds  float64    `json:"seconds"`
	// ReferenceSeconds is how long SciPy and NumPy took to match.
	ReferenceSeconds float64 `json:"reference_seconds,omitempty"`
}

type barriers struct {
	Loss     [2]float64 `json:"loss"`
	Middle   [2]float64 `json:"middle"`
	Accuracy [2]float64 `json:"accuracy"`
}

// point is a point of a way, as mergevo align and the reference print it.
type point struct {
	T     float64 `json:"t"`
	Loss  float64 `json:"loss"`
	Score float64 `json:"score"`
}

// of sets the barriers before, 0, or after, 1.
func (b *barriers) of(k int, way []point) {
	first, last := way[0], way[len(way)-1]
	for _, p := range way {
		rise := p.Loss - (1-p.T)*first.Loss - p.T*last.Loss
		b.Loss[k] = max(b.Loss[k], rise)
		if math.Abs(p.T-0.5) < 1e-9 {
			b.Middle[k] = rise
		}
		b.Accuracy[k] = max(b.Accuracy[k], 100*((1-p.T)*first.Score+p.T*last.Score-p.Score))
	}
}

// comparison aligns pairs by mergevo and by the reference.
type comparison struct {
	mergevo, python, work string
	test                  images
	subject               *subject
	backend               *xla.Backend
	forward               *graph.Exec
}

// outputs are the logits of a network on the test images.
func (c *comparison) outputs(dir string) ([]float32, error) {
	src, err := tensors.Open(dir)
	if err != nil {
		return nil, err
	}
	defer src.Close() //nolint:errcheck // it is read only
	if c.forward == nil {
		m := c.subject.model
		c.forward, err = graph.NewExec(c.backend.Backend, func(in []*graph.Node) *graph.Node {
			x := graph.DivScalar(graph.ConvertDType(in[0], dtypes.Float32), m.DivideBy)
			return m.Forward(func(name string) *graph.Node {
				return graph.InsertAxes(in[1+slices.Index(m.Names(), name)], 0)
			}, x)
		})
		if err != nil {
			return nil, err
		}
	}
	all := make([]int, len(c.test.labels))
	for i := range all {
		all[i] = i
	}
	x, _ := c.test.batch(all, c.subject.model.Input)
	args := []any{x}
	for _, info := range c.subject.model.Tensors {
		w := make([]float32, info.Len())
		if err := src.ReadAt(w, info.Name, 0); err != nil {
			return nil, err
		}
		args = append(args, gmlx.FromFlatDataAndDimensions(w, info.Shape...))
	}
	out, err := c.forward.Call(args...)
	if err != nil {
		return nil, err
	}
	return gmlx.CopyFlatData[float32](out[0])
}

// accuracy of logits, in %.
func (c *comparison) accuracy(logits []float32) float64 {
	right := 0
	for i, label := range c.test.labels {
		row := logits[10*i : 10*i+10]
		if slices.Index(row, slices.Max(row)) == int(label) {
			right++
		}
	}
	return 100 * float64(right) / float64(len(c.test.labels))
}

// pair aligns b to a every way, and compares.
func (c *comparison) pair(ctx context.Context, number int, a, b string) (l line, err error) {
	l.Pair = number
	orders, spec, err := c.match(ctx, a, b, uint64(number), &l)
	if err != nil {
		return l, err
	}
	moved := filepath.Join(c.work, fmt.Sprintf("aligned-%d", number))
	if err := os.RemoveAll(moved); err != nil {
		return l, err
	}
	event, err := c.command(ctx, number, a, b, moved)
	if err != nil {
		return l, err
	}
	if event.Digest != align.Digest([]align.Orders{spec.Identity(), orders}) {
		return l, fmt.Errorf("pair %d: mergevo align finds other orders than package align", number)
	}
	m := event.Models[0]
	l.Ours.of(0, m.Path.Before)
	l.Ours.of(1, m.Path.After)
	l.Distance = [2]float64{m.Distance.Before, m.Distance.After}
	for _, v := range m.Vectors {
		l.Vectors[0] += v.Before / float64(len(m.Vectors))
		l.Vectors[1] += v.After / float64(len(m.Vectors))
	}
	first, err := c.outputs(a)
	if err != nil {
		return l, err
	}
	was, err := c.outputs(b)
	if err != nil {
		return l, err
	}
	is, err := c.outputs(moved)
	if err != nil {
		return l, err
	}
	l.Accuracy = [2]float64{c.accuracy(first), c.accuracy(was)}
	var most float64
	for i, x := range was {
		l.Outputs = max(l.Outputs, math.Abs(float64(x-is[i])))
		most = max(most, math.Abs(float64(x)))
	}
	l.Outputs /= most
	if c.python == "" {
		return l, nil
	}
	return l, c.reference(ctx, number, a, b, spec, orders, &l)
}

// match finds the orders, and how long that takes.
func (c *comparison) match(ctx context.Context, a, b string, seed uint64, l *line) (align.Orders, *align.Spec, error) {
	x, err := tensors.Open(a)
	if err != nil {
		return nil, nil, err
	}
	defer x.Close() //nolint:errcheck // it is read only
	y, err := tensors.Open(b)
	if err != nil {
		return nil, nil, err
	}
	defer y.Close() //nolint:errcheck // it is read only
	spec, err := align.New(c.subject.config, x.Tensors(), align.Options{})
	if err != nil {
		return nil, nil, err
	}
	began := time.Now()
	orders, err := spec.Match(ctx, x, y, align.Matching{Seed: seed})
	l.Seconds = time.Since(began).Seconds()
	for k, n := range orders.Moved() {
		l.Units, l.Moved = l.Units+spec.Permutations[k].Units, l.Moved+n
	}
	return orders, spec, err
}

// aligned is what mergevo align --json prints.
type aligned struct {
	Event  string `json:"event"`
	Digest string `json:"digest"`
	Models []struct {
		Distance align.Distance
		Vectors  []align.Vectors
		Path     struct{ Before, After []point }
	} `json:"models"`
}

// command runs mergevo align.
func (c *comparison) command(ctx context.Context, seed int, a, b, out string) (e aligned, err error) {
	file, err := filepath.Abs(c.test.file)
	if err != nil {
		return e, err
	}
	tasks := filepath.Join(c.work, "tasks.yaml")
	if err := os.WriteFile(tasks, fmt.Appendf(nil, "tasks: [{name: digits, kind: classification, data: %q}]\n", file), 0o644); err != nil {
		return e, err
	}
	text, err := output(ctx, c.mergevo, "align", a, b, "--out", out, "--seed", fmt.Sprint(seed), "--tasks", tasks, "--json", "--backend", c.backend.Kind)
	if err != nil {
		return e, err
	}
	if err := json.Unmarshal(text, &e); err != nil || e.Event != "aligned" || len(e.Models) != 1 {
		return e, fmt.Errorf("mergevo align printed %q: %v", text, err)
	}
	return e, nil
}

// reference runs reference.py on the pair.
func (c *comparison) reference(ctx context.Context, seed int, a, b string, spec *align.Spec, orders align.Orders, l *line) error {
	text, err := output(ctx, c.python, filepath.Join("bench", "align", "reference.py"), a, b, fmt.Sprint(seed), c.test.file)
	if err != nil {
		return err
	}
	var r struct {
		Orders        map[string][]int
		Before, After []point
		Seconds       float64
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("reference.py printed %q: %w", text, err)
	}
	same := 0
	for k, p := range spec.Permutations {
		for u, from := range orders[k] {
			if o := r.Orders[p.Name]; u < len(o) && o[u] == from {
				same++
			}
		}
	}
	l.Same, l.Reference, l.ReferenceSeconds = &same, &barriers{}, r.Seconds
	l.Reference.of(0, r.Before)
	l.Reference.of(1, r.After)
	return nil
}

func output(ctx context.Context, name string, args ...string) ([]byte, error) {
	var out, talk bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &out, &talk
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", cmd, err, talk.String())
	}
	return out.Bytes(), nil
}
