package evolve

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"
)

// golden is testdata/cma.json; see the README there.
type golden struct {
	Traces []struct {
		Name, Lib   string
		Variant     Covariance // "" is full
		Passive     bool       // no negative weights
		Rated       bool       // learning rates adapt
		Mean0       []float64
		Sigma0      float64
		Lambda      int
		Weights     []float64
		Bounds      [][]float64
		Steps       []float64   // between the values of a coordinate, 0: continuous
		Limits      [][]float64 // of the values
		Generations []struct {
			X, C, Z            [][]float64
			F, Mean, Pc, Ps, A []float64
			Pc2                []float64
			Variances          []float64   // of C's diagonal, where there is no more
			Beta               float64     `json:"beta_dd"`
			Encoded            [][]float64 `json:"X_encoded"`
			Sigma              float64
			SigmaVec           []float64 `json:"sigma_vec"`
			EtaMean            float64   `json:"eta_mean"`
			EtaSigma           float64   `json:"eta_Sigma"`
		}
	}
	Parameters []struct {
		N, Lam, Mu         int
		Default, CSA       bool
		Mueff, CC, C1, CMu float64
		CS, Damps          *float64
		First              float64 `json:"w_first"`
		Last               float64 `json:"w_last"`
		SumNeg             float64 `json:"sum_neg"`
		LazyGap            float64 `json:"lazy_gap"`
		TolStagnation      int
		MaxIter            float64
	}
	WarmStart struct {
		Gamma, Alpha, Sigma float64
		X, Cov              [][]float64
		F, Mean             []float64
	} `json:"warm_start"`
	BoundTransform []struct {
		Lb, Ub float64
		X, Y   []float64
	} `json:"bound_transform"`
}

func readGolden(t *testing.T) golden {
	t.Helper()
	data, err := os.ReadFile("testdata/cma.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// near compares with a relative tolerance, against the largest number wanted.
func near(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	scale := 0.0
	for _, w := range want {
		scale = math.Max(scale, math.Abs(w))
	}
	for i, w := range want {
		if !(math.Abs(got[i]-w) <= tol*scale) {
			t.Errorf("%s[%d] = %v, want %v", what, i, got[i], w)
		}
	}
}

// The update follows pycma's, given the points which pycma drew.
func TestCMATraces(t *testing.T) {
	for _, tr := range readGolden(t).Traces {
		t.Run(tr.Name, func(t *testing.T) {
			n, limit := len(tr.Mean0), math.Inf(1)
			var fold []boundTransform
			if tr.Bounds != nil {
				for i := range n {
					fold = append(fold, newBoundTransform(tr.Bounds[0][i], tr.Bounds[1][i]))
				}
				limit = (tr.Bounds[1][0] - tr.Bounds[0][0]) / 3
			}
			if tr.Variant == "" {
				tr.Variant = Full
			}
			st := newVariant(n, tr.Lambda, tr.Variant)
			if tr.Lib == "cmaes" && tr.Variant == Full {
				st = newTutorial(n, tr.Lambda)
			}
			if tr.Passive {
				st.setWeights(1, 0)
			}
			if tr.Rated {
				st.rate()
			}
			d := newDistribution(st, tr.Mean0, tr.Sigma0, limit)
			var m *margin
			if tr.Steps != nil {
				m = newMargin(st)
				for i, step := range tr.Steps {
					if step > 0 {
						lo, hi := tr.Limits[i][0], tr.Limits[i][1]
						m.add(lattice{gene: i, low: lo, step: step, size: int(math.Round((hi-lo)/step)) + 1})
					}
				}
			}
			near(t, "weights", d.weights, tr.Weights, 1e-12)
			for g, want := range tr.Generations {
				var y, z [][]float64
				for k, x := range want.X {
					yk := make([]float64, n)
					if fold == nil {
						for i := range x {
							yk[i] = (x[i] - d.mean[i]) / (d.sigma * d.scale[i])
						}
					} else { // X are points folded; the basis is still the identity
						d.shape(yk, want.Z[k])
						got := make([]float64, n)
						d.point(got, yk)
						for i := range got {
							got[i] = fold[i].fold(got[i])
						}
						near(t, fmt.Sprint("x", k), got, x, 1e-12)
					}
					zk := make([]float64, n)
					d.whiten(zk, yk)
					y, z = append(y, yk), append(z, zk)
					if m != nil {
						got := slices.Clone(x)
						m.encode(got, d)
						near(t, fmt.Sprint("encoded x", k), got, want.Encoded[k], 1e-12)
					}
				}
				order := make([]int, len(want.F))
				for i := range order {
					order[i] = i
				}
				slices.SortStableFunc(order, func(a, b int) int {
					return Compare(Scored[int]{Score: Score{Value: -want.F[a]}}, Scored[int]{Score: Score{Value: -want.F[b]}})
				})
				ys, zs := make([][]float64, len(y)), make([][]float64, len(z))
				for i, k := range order {
					ys[i], zs[i] = y[k], z[k]
				}
				d.update(ys, zs)
				if m != nil {
					m.correct(d)
					near(t, fmt.Sprintf("generation %d A", g), m.stretches(n), want.A, 1e-9)
				}
				at := fmt.Sprintf("generation %d ", g)
				near(t, at+"mean", d.mean, want.Mean, 1e-9)
				near(t, at+"sigma", []float64{d.sigma}, []float64{want.Sigma}, 1e-9)
				if want.C != nil {
					near(t, at+"C", d.cov, slices.Concat(want.C...), 1e-9)
				}
				if want.Variances != nil {
					var got []float64
					for _, s := range d.scale {
						got = append(got, s*s)
					}
					near(t, at+"variances", got, want.Variances, 1e-9)
				}
				if want.Pc2 != nil {
					near(t, at+"pc2", d.scalePath, want.Pc2, 1e-9)
				}
				near(t, at+"pc", d.pc, want.Pc, 1e-9)
				near(t, at+"ps", d.ps, want.Ps, 1e-9)
				if tr.Rated {
					near(t, at+"rates", []float64{d.rates.mean.rate, d.rates.shape.rate}, []float64{want.EtaMean, want.EtaSigma}, 1e-9)
				}
				if want.SigmaVec != nil {
					near(t, at+"scale", d.scale, want.SigmaVec, 1e-9)
				}
			}
		})
	}
}

func TestCMAParameters(t *testing.T) {
	for _, p := range readGolden(t).Parameters {
		t.Run(fmt.Sprintf("n%d_lambda%d", p.N, p.Lam), func(t *testing.T) {
			s := newStrategy(p.N, p.Lam)
			if p.Default && defaultPopulation(p.N) != p.Lam {
				t.Errorf("default population %d, want %d", defaultPopulation(p.N), p.Lam)
			}
			if s.mu != p.Mu {
				t.Errorf("mu = %d, want %d", s.mu, p.Mu)
			}
			neg := 0.0
			for _, w := range s.weights {
				neg += math.Min(w, 0)
			}
			for _, c := range []struct {
				name      string
				got, want float64
			}{
				{"mueff", s.mueff, p.Mueff}, {"cc", s.cc, p.CC}, {"c1", s.c1, p.C1}, {"cmu", s.cmu, p.CMu},
				{"first", s.weights[0], p.First}, {"last", s.weights[p.Lam-1], p.Last}, {"negative", neg, p.SumNeg},
				{"gap", s.gap, p.LazyGap},
			} {
				if math.Abs(c.got-c.want) > 1e-12*math.Max(1e-3, math.Abs(c.want)) {
					t.Errorf("%s = %v, want %v", c.name, c.got, c.want)
				}
			}
			if p.CSA { // pycma takes another step-size rule from n = 300 on
				near(t, "cs", []float64{s.cs}, []float64{*p.CS}, 1e-12)
				near(t, "damps", []float64{s.damps}, []float64{*p.Damps}, 1e-12)
			}
			if !p.Default { // pycma computes defaults from 4+3 ln n unrounded
				if got := s.stagnation(); got != p.TolStagnation {
					t.Errorf("tolstagnation = %d, want %d", got, p.TolStagnation)
				}
				if got := s.maxIter(); float64(got) != p.MaxIter {
					t.Errorf("maxiter = %d, want %v", got, p.MaxIter)
				}
			}
		})
	}
}

func TestWarmStart(t *testing.T) {
	w := readGolden(t).WarmStart
	order := make([]int, len(w.X))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(w.F[a], w.F[b]) })
	var points [][]float64
	for _, i := range order[:int(w.Gamma*float64(len(w.X)))] {
		points = append(points, w.X[i])
	}
	mean, sigma, cov, ok := promising(points, w.Alpha)
	if !ok {
		t.Fatal("no distribution")
	}
	near(t, "mean", mean, w.Mean, 1e-9)
	near(t, "sigma", []float64{sigma}, []float64{w.Sigma}, 1e-9)
	near(t, "covariance", cov, slices.Concat(w.Cov...), 1e-9)
}

func TestBoundTransform(t *testing.T) {
	for _, b := range readGolden(t).BoundTransform {
		f := newBoundTransform(b.Lb, b.Ub)
		for i, x := range b.X {
			got := f.fold(x)
			near(t, fmt.Sprintf("[%v, %v]: fold(%v)", b.Lb, b.Ub, x), []float64{got}, []float64{b.Y[i]}, 1e-12)
			if got < b.Lb || got > b.Ub {
				t.Errorf("fold(%v) = %v is outside [%v, %v]", x, got, b.Lb, b.Ub)
			}
			// The slope of fold is 0 at the ends, so unfold has half the digits.
			if back := f.fold(f.unfold(got)); math.Abs(back-got) > 1e-12*math.Max(1, math.Abs(got)) {
				t.Errorf("fold(unfold(%v)) = %v", got, back)
			}
		}
	}
}

func TestChiMean(t *testing.T) {
	near(t, "chiN", []float64{chiMean(1), chiMean(4), chiMean(10)},
		[]float64{math.Sqrt(2 / math.Pi), 1.8799712059732505, 3.084327759799864}, 1e-13)
}
