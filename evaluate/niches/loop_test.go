package niches

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/merge/niche"
)

const (
	size     = 40
	examples = 120
)

// puzzle is examples that a linear network gets right by the sign of its answer.
func puzzle(rng *rand.Rand) (inputs []float32, right func(w []float32) []uint8) {
	for range size * examples {
		inputs = append(inputs, float32(rng.NormFloat64()))
	}
	return inputs, func(w []float32) []uint8 {
		out := make([]uint8, examples)
		for j := range out {
			sum := float32(0)
			for i, v := range w {
				sum += v * inputs[j*size+i]
			}
			if sum > 0 {
				out[j] = 1
			}
		}
		return out
	}
}

func data(inputs []float32) Data {
	return Data{
		Inputs: []*gmlx.Tensor{gmlx.FromFlatDataAndDimensions(inputs, examples, size)}, Examples: examples,
		Score: func(w *graph.Node, x []*graph.Node) (right, ties *graph.Node) {
			n := w.Shape().Dim(0)
			wide := func(x *graph.Node) *graph.Node { return graph.BroadcastToDims(x, n, examples, size) }
			answer := graph.ReduceSum(graph.Mul(wide(graph.InsertAxes(x[0], 0)), wide(graph.InsertAxes(w, 1))), 2)
			return graph.ConvertDType(graph.GreaterThan(answer, graph.ZerosLike(answer)), dtypes.Float32), graph.ReduceSum(answer, 1)
		},
	}
}

// The loop takes the steps of evolve.M2N2, under all rules.
func TestLoopIsM2N2(t *testing.T) {
	b := xlatest.Fastest(t)
	if b.Kind == "go" {
		t.Skip("the Go backend has no while loop")
	}
	whole, parts := []int64{size}, []int64{7, 21, size}
	for name, o := range map[string]Options{
		"authors":          {Alpha: 1, Attraction: true, Crossing: niche.Crossing{Split: true, Chromosomes: whole}},
		"no competition":   {Alpha: 0, Attraction: true, Crossing: niche.Crossing{Split: true, Chromosomes: whole}},
		"no attraction":    {Alpha: 1, Crossing: niche.Crossing{Split: true, Chromosomes: whole}},
		"crowds lose":      {Alpha: 2.5, Attraction: true, Crossing: niche.Crossing{Split: true, Chromosomes: whole}},
		"no split":         {Alpha: 1, Attraction: true, Crossing: niche.Crossing{Chromosomes: whole}},
		"lines":            {Alpha: 1, Attraction: true, Crossing: niche.Crossing{Split: true, Straight: true, Chromosomes: whole}},
		"an angle a side":  {Alpha: 1, Attraction: true, Crossing: niche.Crossing{Split: true, Apart: true, Chromosomes: whole}},
		"chromosomes":      {Alpha: 1, Attraction: true, Crossing: niche.Crossing{Split: true, Chromosomes: parts}},
		"three in flight":  {Alpha: 1, Attraction: true, Flight: 3, Crossing: niche.Crossing{Split: true, Chromosomes: whole}},
		"chromosomes, all": {Alpha: 1, Attraction: true, Crossing: niche.Crossing{Split: true, Apart: true, Chromosomes: parts}},
	} {
		t.Run(name, func(t *testing.T) {
			const seed, steps = 5, 300
			o.Archive, o.Flight, o.Steps = 8, max(1, o.Flight), 60
			rng := rand.New(rand.NewPCG(1, 9))
			inputs, right := puzzle(rng)
			seeds := make([][]float32, 3)
			for k := range seeds {
				for range size {
					seeds[k] = append(seeds[k], float32(rng.NormFloat64()))
				}
			}
			l, err := New(b.Backend, o, data(inputs))
			if err != nil {
				t.Fatal(err)
			}
			defer l.Finalize()
			if _, err := l.Begin(seeds); err != nil {
				t.Fatal(err)
			}
			var children []Child
			for next := uint64(4); next < 4+steps; {
				var draws []Draw
				for ; len(draws) < o.Steps && next < 4+steps; next++ {
					rng := evolve.Draws(seed, next)
					draws = append(draws, o.Draw(rng))
				}
				got, err := l.Run(draws)
				if err != nil {
					t.Fatal(err)
				}
				children = append(children, got...)
			}

			host, err := evolve.NewM2N2(niche.Dense{Crossing: o.Crossing, First: seeds},
				evolve.M2N2Options{Archive: o.Archive, Alpha: o.Alpha, Attraction: o.Attraction, InFlight: o.Flight, Seed: seed})
			if err != nil {
				t.Fatal(err)
			}
			objective := func(_ context.Context, pop []evolve.Candidate[[]float32]) ([]evolve.Score, error) {
				var out []evolve.Score
				for _, c := range pop {
					s := evolve.Score{}
					for _, m := range right(c.Genome) {
						s.Items = append(s.Items, float32(m))
						s.Value += float64(m)
					}
					out = append(out, s)
				}
				return out, nil
			}
			at := 0
			for e, err := range evolve.Run(context.Background(), host, objective, evolve.Budget{Evaluations: 3 + steps}, evolve.Progress[[]float32]{}) {
				if err != nil {
					t.Fatal(err)
				}
				if e.Kind != evolve.Generation || e.Generations == 1 {
					continue
				}
				for _, want := range e.Scored {
					c := children[at]
					at++
					parents := slices.Sorted(slices.Values(c.Parents[:]))
					if parents = slices.Compact(parents); !slices.Equal(parents, want.Parents) {
						t.Fatalf("child %d: parents %v, on the host %v", c.ID, parents, want.Parents)
					}
					for j, m := range want.Items {
						if float32(c.Right[j]) != m {
							t.Fatalf("child %d: example %d is %d, on the host %v", c.ID, j, c.Right[j], m)
						}
					}
				}
				for _, c := range children[at-o.Flight : at] {
					inside := false
					for _, m := range host.Members() {
						inside = inside || m.ID == c.ID
					}
					if o.Flight == 1 && inside != (c.Slot < o.Archive) || inside && c.Slot == o.Archive {
						t.Fatalf("child %d: slot %d, on the host in the archive: %v", c.ID, c.Slot, inside)
					}
				}
			}
		})
	}
}

// The mutations of a step are normal, and a key's own.
func TestNormal(t *testing.T) {
	const n = 100001
	for _, b := range xlatest.Backends(t) {
		exec, err := graph.NewExec(b.Backend, func(key *graph.Node) *graph.Node { return normal(n, key) })
		if err != nil {
			t.Fatal(err)
		}
		draw := func(a, c uint32) []float32 {
			out, err := exec.Call([]uint32{a, c})
			if err != nil {
				t.Fatal(err)
			}
			v, err := gmlx.CopyFlatData[float32](out[0])
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		x, y, again := draw(1, 2), draw(1, 3), draw(1, 2)
		var m1, m2, m4, cross, next float64
		for i, v := range x {
			if v != again[i] {
				t.Fatalf("%s: drawn again, number %d differs", b.Kind, i)
			}
			f := float64(v)
			m1, m2, m4 = m1+f/n, m2+f*f/n, m4+f*f*f*f/n
			cross += f * float64(y[i]) / n
			next += f * float64(x[(i+1)%n]) / n
		}
		for what, pair := range map[string][2]float64{"mean": {m1, 0}, "variance": {m2, 1}, "fourth moment": {m4, 3}, "of two keys": {cross, 0}, "of neighbours": {next, 0}} {
			if math.Abs(pair[0]-pair[1]) > 0.08 || what != "fourth moment" && math.Abs(pair[0]-pair[1]) > 0.02 {
				t.Errorf("%s: %s is %v, not about %v", b.Kind, what, pair[0], pair[1])
			}
		}
		exec.Finalize()
	}
}

func TestSeries(t *testing.T) {
	var x []float32
	for i := -200; i <= 200; i++ {
		x = append(x, float32(math.Pi*float64(i)/200))
	}
	for _, b := range xlatest.Backends(t) {
		exec, err := graph.NewExec(b.Backend, func(x *graph.Node) []*graph.Node {
			return []*graph.Node{series(x, 0), graph.Mul(x, series(x, 1))}
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Call(x)
		if err != nil {
			t.Fatal(err)
		}
		for k, f := range []func(float64) float64{math.Cos, math.Sin} {
			y, err := gmlx.CopyFlatData[float32](out[k])
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range y {
				if math.Abs(float64(v)-f(float64(x[i]))) > 1.5e-6 {
					t.Errorf("%s: %v at %v, want %v", b.Kind, v, x[i], f(float64(x[i])))
				}
			}
		}
		exec.Finalize()
	}
}

func TestLoopRefuses(t *testing.T) {
	b := xlatest.Fastest(t)
	inputs, _ := puzzle(rand.New(rand.NewPCG(1, 1)))
	if _, err := New(b.Backend, Options{Archive: 4, Flight: 1, Steps: 1}, data(inputs)); err == nil {
		t.Error("a loop without chromosomes")
	}
	l, err := New(b.Backend, Options{Archive: 1, Flight: 1, Steps: 1, Crossing: niche.Crossing{Chromosomes: []int64{size}}}, data(inputs))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Finalize()
	w := make([]float32, size)
	for name, seeds := range map[string][][]float32{"none": nil, "too many": {w, w}, "short": {w[1:]}} {
		if _, err := l.Begin(seeds); err == nil {
			t.Errorf("%s: begun", name)
		}
	}
	if _, err := l.Run(make([]Draw, 2)); err == nil {
		t.Error("more draws than steps")
	}
}
