package merge_test

import (
	"context"
	"maps"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// write makes a one-file checkpoint of float32 values stored as d, of one dimension.
func write(t testing.TB, d tensors.DType, data map[string][]float32) *tensors.Checkpoint {
	t.Helper()
	return writeShaped(t, d, data, nil)
}

// writeShaped is write with shapes for some of the tensors.
func writeShaped(t testing.TB, d tensors.DType, data map[string][]float32, shapes map[string][]int) *tensors.Checkpoint {
	t.Helper()
	var layout []tensors.Info
	for name, v := range data {
		shape, ok := shapes[name]
		if !ok {
			shape = []int{len(v)}
		}
		layout = append(layout, tensors.Info{Name: name, DType: d, Shape: shape})
	}
	file := filepath.Join(t.TempDir(), "model.safetensors")
	w, err := tensors.Create("", layout, tensors.Options{Single: file})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for name, v := range data {
		if err := w.WriteAt(v, name, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	return open(t, file)
}

func open(t testing.TB, path string) *tensors.Checkpoint {
	t.Helper()
	c, err := tensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// shapesOf are the shapes of a family's tensors: of several dimensions, of one entry a
// row, of prime sizes, and one of a given number of entries, in five rows if it can be.
func shapesOf(long int) map[string][]int {
	s := map[string][]int{
		"layers.0.weight": {37, 41}, "layers.1.weight": {long}, "norm.weight": {5}, "one": {1},
		"cube": {3, 5, 7}, "column": {7, 1}, "row": {1, 11}, "conv": {2, 1, 3, 1}, "scalar": {},
	}
	if long%5 == 0 {
		s["layers.1.weight"] = []int{5, long / 5}
	}
	return s
}

// family writes a base and k models near it. Half of the entries of a task vector
// are zero, some magnitudes are equal, and one tensor is longer than a chunk.
func family(t testing.TB, d tensors.DType, k int, long int) *merge.Parents {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, uint64(d)))
	shapes := shapesOf(long)
	base := map[string][]float32{}
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		n := 1
		for _, d := range shapes[name] {
			n *= d
		}
		for range n {
			base[name] = append(base[name], float32(rng.NormFloat64()))
		}
	}
	names, open := []string{"base"}, []*tensors.Checkpoint{writeShaped(t, d, base, shapes)}
	for i := range k {
		m := map[string][]float32{}
		for _, info := range open[0].Tensors() { // a fixed order, for a fixed family
			for j, b := range base[info.Name] {
				delta := 0.1 * rng.NormFloat64()
				switch {
				case rng.IntN(2) == 0:
					delta = 0
				case j%7 == 0:
					delta = math.Copysign(0.125, delta) // many entries at one magnitude
				}
				m[info.Name] = append(m[info.Name], b+float32(delta))
			}
		}
		names, open = append(names, string(rune('A'+i))), append(open, writeShaped(t, d, m, shapes))
	}
	p, err := merge.NewParents(names, open, nil, merge.MissingRefuse, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range merge.Statistics() {
		var files []tensors.Source
		for range names {
			files = append(files, statistics(t, s, rng, shapes))
		}
		if err := p.Attach(s, files, files); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// statistics writes a file of a kind of statistic over a family's tensors: magnitudes of
// which some are 0, or the Gram matrices of some inputs.
func statistics(t testing.TB, s *merge.Statistic, rng *rand.Rand, shapes map[string][]int) *tensors.Checkpoint {
	t.Helper()
	data, dims := map[string][]float32{}, map[string][]int{}
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		n := tensors.Info{Shape: shapes[name]}.Len()
		if s.Elementwise {
			dims[name] = shapes[name]
			for range n {
				x := rng.NormFloat64()
				data[name] = append(data[name], float32(max(0, x*x-0.1)))
			}
			continue
		}
		rows := map[string]int{"layers.0.weight": 37, "conv": 2, "column": 7}[name]
		if rows == 0 {
			continue
		}
		d, as := n/rows, name
		if name == "column" {
			d, as = rows, name+merge.Transposed
		}
		x := make([]float64, 2*d*d)
		for i := range x {
			x[i] = rng.NormFloat64()
		}
		g := make([]float32, d*d)
		for r := range d {
			for c := range d {
				var sum float64
				for k := range 2 * d {
					sum += x[k*d+r] * x[k*d+c]
				}
				g[r*d+c] = float32(sum / float64(2*d))
			}
		}
		data[as], dims[as] = g, []int{d, d}
	}
	return writeShaped(t, tensors.F32, data, dims)
}

// specs draws n specs of a method over a family: parameters from the row's ranges,
// the same for all tensors but for the odd ones. Densities lie on the grid.
func specs(m *merge.Method, n int, d tensors.DType, k int) []*merge.Spec {
	rng := rand.New(rand.NewPCG(11, 13))
	_, ranked := m.Param("epsilon")
	if m.MaxSources > 0 {
		k = min(k, m.MaxSources)
	}
	var out []*merge.Spec
	for i := range n {
		s := &merge.Spec{Method: m, Parts: []merge.Part{{Base: -1}}, Seed: 7, DType: d}
		if m.Base == merge.BaseRequired || m.Base == merge.BaseOptional && i%2 == 0 {
			s.Parts[0].Base = 0
		}
		for j := range k {
			s.Parts[0].Inputs = append(s.Parts[0].Inputs, j+1)
		}
		draw := func() merge.Values {
			v := m.NewValues()
			for _, p := range m.Params {
				x := p.Low + (p.High-p.Low)*rng.Float64()
				switch {
				case p.Bool:
					x = float64(rng.IntN(2))
				case p.Choices != nil:
					x = float64(rng.IntN(len(p.Choices)))
				case p.Name == "iterations": // enough to tell bits apart
					x = 7
				case p.Low == p.High: // not for searching
					x = p.Default
				case p.Grid > 0:
					x = p.Grid * math.Round(x/p.Grid)
				}
				switch {
				case p.Name == "weight" && i%3 == 2 && p.Min < 0:
					x = -x / 2 // signed weights
				case p.Name == "density" && ranked:
					x = 0.25 + p.Grid*math.Round(x/2/p.Grid)
				}
				v.Set(p.Name, x)
			}
			return v
		}
		perTensor := map[string][]merge.Values{}
		global := draw()
		for _, name := range slices.Sorted(maps.Keys(shapesOf(0))) {
			for range k {
				perTensor[name] = append(perTensor[name], draw())
			}
		}
		if m.RowGlobalU > 0 && i%2 == 0 {
			global.Pieces = pieces(rng, k, 1+2*i, i%4 == 0)
		}
		s.Params = func(tensor string) (merge.Values, []merge.Values) { return global, perTensor[tensor] }
		out = append(out, s)
	}
	return out
}

// pieces draws count stretches, which end within the longest tensors or behind the
// others, and the shares of k sources.
func pieces(rng *rand.Rand, k, count int, columns bool) *merge.Pieces {
	p := &merge.Pieces{Columns: columns, Most: count}
	end := 0
	for range count {
		var shares []float64
		for range k {
			shares = append(shares, rng.NormFloat64())
		}
		end += 1 + rng.IntN(40)*rng.IntN(40)
		p.Ends, p.Shares = append(p.Ends, end), append(p.Shares, shares)
	}
	return p
}

// streamed writes a merge and returns its tensors as float32.
func streamed(t testing.TB, b compute.Backend, s *merge.Spec, p *merge.Parents) map[string][]float32 {
	t.Helper()
	file := filepath.Join(t.TempDir(), "out.safetensors")
	w, err := tensors.Create("", merge.Layout(s, p), tensors.Options{Single: file})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := merge.Apply(context.Background(), b, s, p, w, merge.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	return read(t, open(t, file))
}

func read(t testing.TB, c tensors.Source) map[string][]float32 {
	t.Helper()
	out := map[string][]float32{}
	for _, info := range c.Tensors() {
		v := make([]float32, info.Len())
		if err := c.ReadAt(v, info.Name, 0); err != nil {
			t.Fatal(err)
		}
		out[info.Name] = v
	}
	return out
}

// batched makes the weights of all specs in one graph, as an evaluation does, and
// reads them back.
func batched(t testing.TB, b compute.Backend, all []*merge.Spec, p *merge.Parents) []map[string][]float32 {
	t.Helper()
	pop, err := merge.Load(b, p)
	if err != nil {
		t.Fatal(err)
	}
	defer pop.Finalize()
	out := make([]map[string][]float32, len(all))
	of := map[*merge.Kind][]int{} // structure and base may differ
	for i, spec := range all {
		k := pop.Kind(spec)
		of[k] = append(of[k], i)
	}
	for k, at := range of {
		var list []*merge.Spec
		for _, i := range at {
			list = append(list, all[i])
		}
		for j, w := range weightsOf(t, b, k, list) {
			out[at[j]] = w
		}
	}
	return out
}

// weightsOf makes the weights of specs of one kind.
func weightsOf(t testing.TB, b compute.Backend, k *merge.Kind, all []*merge.Spec) []map[string][]float32 {
	t.Helper()
	exec, err := graph.NewExec(b, func(args []*graph.Node) []*graph.Node {
		w := k.Weights(args[0], args[1], args[2:])
		var out []*graph.Node
		for _, info := range k.Tensors() {
			out = append(out, w(info.Name))
		}
		return out
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	f, u, errs := k.Coefs(all)
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	args := []any{f, u}
	stored, err := k.Resident(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range stored {
		args = append(args, x)
	}
	res, err := exec.Call(args...)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]map[string][]float32, len(all))
	for i := range out {
		out[i] = map[string][]float32{}
	}
	for j, info := range k.Tensors() {
		v, err := gmlx.CopyFlatData[float32](res[j])
		if err != nil {
			t.Fatal(err)
		}
		n := info.Len()
		for i := range out {
			out[i][info.Name] = v[i*n : (i+1)*n]
		}
	}
	return out
}

// differing counts the elements whose bits differ.
func differing(a, b []float32) int {
	n := 0
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			n++
		}
	}
	return n
}
