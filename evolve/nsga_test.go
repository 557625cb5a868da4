package evolve_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/mergevo/mergevo/evolve"
)

// front runs an optimizer on functions to be minimized, and returns the objectives of
// its last generation's front.
func front(t *testing.T, name string, n, goals, population, generations int, f func(x []float64) []float64) [][]float64 {
	t.Helper()
	a, ok := evolve.LookupOptimizer(name)
	if !ok {
		t.Fatal("no optimizer ", name)
	}
	box := wide(n, 0.5, 1)
	o, err := a.New(box, evolve.Settings{Seed: 1, Population: population, Objectives: goals})
	if err != nil {
		t.Fatal(err)
	}
	var all []evolve.Scored[[]float64]
	for g := range generations {
		pop, err := o.Ask(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		told := make([]evolve.Scored[[]float64], len(pop))
		for i, c := range pop {
			y := f(box.Values(c.Genome))
			for k := range y {
				y[k] = -y[k]
			}
			told[i] = evolve.Scored[[]float64]{Candidate: c, Score: evolve.Score{Value: y[0], Objectives: y}}
		}
		if err := o.Tell(told); err != nil {
			t.Fatal(err)
		}
		if g >= generations-5 {
			all = append(all, told...)
		}
	}
	var out [][]float64
	for _, s := range evolve.Front(all) {
		out = append(out, s.Objectives)
	}
	return out
}

// NSGA-II covers the fronts of ZDT1 to ZDT3 as pymoo's does: the hypervolume after
// 20,000 evaluations within 2 % of the median of seven of its runs.
func TestNSGA2(t *testing.T) {
	if testing.Short() {
		t.Skip("many evaluations")
	}
	text, err := os.ReadFile("testdata/qd.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		ZDT map[string]struct {
			Pop, Gens int
			Vars      int     `json:"n_var"`
			Median    float64 `json:"hv_median"`
			Pareto    float64 `json:"hv_pareto"`
			Ref       []float64
		} `json:"nsga2_zdt"`
	}
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	second := map[string]func(f, g float64) float64{
		"zdt1": func(f, g float64) float64 { return g * (1 - math.Sqrt(f/g)) },
		"zdt2": func(f, g float64) float64 { return g * (1 - f*f/g/g) },
		"zdt3": func(f, g float64) float64 { return g * (1 - math.Sqrt(f/g) - f/g*math.Sin(10*math.Pi*f)) },
	}
	for name, z := range g.ZDT {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			points := front(t, "nsga2", z.Vars, 2, z.Pop, z.Gens, func(x []float64) []float64 {
				g := 1.0
				for _, v := range x[1:] {
					g += 9 * v / float64(len(x)-1)
				}
				return []float64{x[0], second[name](x[0], g)}
			})
			got := evolve.Hypervolume(points, []float64{-z.Ref[0], -z.Ref[1]})
			t.Logf("hypervolume %.4f, pymoo %.4f, of the true front %.4f", got, z.Median, z.Pareto)
			if math.Abs(got/z.Median-1) > 0.02 {
				t.Errorf("hypervolume %v, pymoo's median is %v", got, z.Median)
			}
		})
	}
}

// NSGA-III gets to the front of DTLZ2 with three objectives, the unit sphere, and
// spreads over it.
func TestNSGA3(t *testing.T) {
	if testing.Short() {
		t.Skip("many evaluations")
	}
	points := front(t, "nsga3", 12, 3, 92, 250, func(x []float64) []float64 {
		g := 0.0
		for _, v := range x[2:] {
			g += (v - 0.5) * (v - 0.5)
		}
		a, b := x[0]*math.Pi/2, x[1]*math.Pi/2
		return []float64{(1 + g) * math.Cos(a) * math.Cos(b), (1 + g) * math.Cos(a) * math.Sin(b), (1 + g) * math.Sin(a)}
	})
	var off []float64
	for _, p := range points {
		off = append(off, math.Abs(math.Sqrt(p[0]*p[0]+p[1]*p[1]+p[2]*p[2])-1))
	}
	slices.Sort(off)
	hv := evolve.Hypervolume(points, []float64{-1.1, -1.1, -1.1})
	sphere := 1.331 - math.Pi/6 // the volume beyond the unit sphere
	t.Logf("%d points, median distance %.4f, hypervolume %.4f of %.4f", len(points), off[len(off)/2], hv, sphere)
	if off[len(off)/2] > 0.005 || hv < 0.9*sphere {
		t.Error(fmt.Sprint("the front is not reached: ", off[len(off)/2], hv))
	}
}
