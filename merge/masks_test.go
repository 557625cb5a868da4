package merge

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // mathematics reads as mathematics

	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/tensors"
)

const vectors = "../testdata/mergekit"

var tuned = []string{"ftA", "ftB", "ftC"}

// The parameters of the stochastic vectors.
var (
	vectorWeight  = []float64{0.5, 0.3, 0.4}
	vectorDensity = []float64{0.5, 0.3, 0.7}
	vectorEpsilon = []float64{0.2, 0.1, 0.15}
)

func openFile(t *testing.T, path string) *tensors.Checkpoint {
	t.Helper()
	c, err := tensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func tinyFamily(t *testing.T) *Parents {
	t.Helper()
	var open []*tensors.Checkpoint
	names := append([]string{"base"}, tuned...)
	for _, n := range names {
		open = append(open, openFile(t, filepath.Join(vectors, "tiny/f32", n)))
	}
	p, err := NewParents(names, open, nil, MissingRefuse, false)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// keepMasks reads mergekit's masks of a vector: for each tensor, bit i of an element is
// whether it kept the entry of model i.
func keepMasks(t *testing.T, name string, p *Parents) map[string][]uint8 {
	t.Helper()
	file := openFile(t, filepath.Join(vectors, "golden", name, "masks.safetensors"))
	out := map[string][]uint8{}
	for _, info := range p.Merged() {
		m := make([]uint8, info.Len())
		for i, model := range tuned {
			err := file.Stored(info.Name+"|"+model, 0, (len(m)+7)/8, func(b []byte) error {
				for e := range m {
					m[e] |= b[e/8] >> (7 - e%8) & 1 << i
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		out[info.Name] = m
	}
	return out
}

// Under mergekit's own masks, our sums, elections and L1 rescale give mergekit's
// tensors.
func TestMergekitMasks(t *testing.T) {
	p := tinyFamily(t)
	for _, name := range []string{"dare_linear", "dare_linear_norescale", "dare_ties", "della_linear", "della"} {
		bits := keepMasks(t, name, p)
		row, _ := Lookup(strings.TrimSuffix(name, "_norescale"))
		given := *row
		given.Rows, given.RankAxis, given.RowF, given.RowU = nil, nil, 0, 0
		given.Spread = func(p *Profile, off int, dst []float32) error {
			for i := range dst {
				dst[i] = float32(bits[p.tensor][off+i])
			}
			return nil
		}
		keep := func(p *Profile, source int, global, _ Values, _ int, _ Coefs) (float64, error) {
			if !global.Is("rescale") {
				return 1, nil
			}
			all, err := p.sumKept(source, func(float32, uint32) bool { return true })
			if err != nil {
				return 0, err
			}
			kept, err := p.sumKept(source, func(_ float32, e uint32) bool { return bits[p.tensor][e]>>source&1 == 1 })
			return ratioL1(all, kept), err
		}
		read := func(x *Operands, i, _ int) *Node {
			half := Floor(MulScalar(x.Spread(), math.Ldexp(1, -i)))
			return Equal(Sub(half, MulScalar(Floor(MulScalar(half, 0.5)), 2)), OnesLike(half))
		}
		given.Coef, given.Mix = coefSum(keep), mixSum(read)
		if row.GlobalF == 2 {
			given.Coef, given.Mix = coefElect(keep), mixElect(read)
		}
		global := given.NewValues()
		if strings.HasSuffix(name, "_norescale") {
			global.Set("rescale", 0)
		}
		var source []Values
		for _, w := range vectorWeight {
			v := given.NewValues()
			v.Set("weight", w)
			source = append(source, v)
		}
		s := &Spec{Method: &given, Parts: []Part{{Base: 0, Inputs: []int{1, 2, 3}}}, Params: func(string) (Values, []Values) { return global, source }}
		want := openFile(t, filepath.Join(vectors, "golden", name, "model.safetensors"))
		for _, b := range xlatest.Backends(t) {
			out := filepath.Join(t.TempDir(), "out.safetensors")
			w, err := tensors.Create("", Layout(s, p), tensors.Options{Single: out})
			if err != nil {
				t.Fatal(err)
			}
			if err := Apply(t.Context(), b.Backend, s, p, w, ApplyOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := w.Commit(); err != nil {
				t.Fatal(err)
			}
			got := openFile(t, out)
			for _, info := range p.Merged() {
				x, y := values(t, got, info), values(t, want, info)
				for i := range x {
					if math.Abs(float64(x[i])-float64(y[i])) > 1e-6 {
						t.Fatalf("%s on %s, %s[%d]: %g, mergekit has %g", name, b.Kind, info.Name, i, x[i], y[i])
					}
				}
			}
		}
	}
}

func values(t *testing.T, c tensors.Source, info tensors.Info) []float32 {
	t.Helper()
	v := make([]float32, info.Len())
	if err := c.ReadAt(v, info.Name, 0); err != nil {
		t.Fatal(err)
	}
	return v
}

// The odds that our masks follow explain mergekit's masks, and the factors in its
// statistics: the number and the L1 norm of what they keep, within 4.5 deviations.
func TestOddsExplainMergekit(t *testing.T) {
	p := tinyFamily(t)
	for _, name := range []string{"dare_linear", "della"} {
		bits := keepMasks(t, name, p)
		row, _ := Lookup(name)
		scales := appliedScales(t, name)
		for _, info := range p.Merged() {
			for i, model := range tuned {
				v := row.NewValues()
				v.Set("density", vectorDensity[i])
				if name == "della" {
					v.Set("epsilon", vectorEpsilon[i])
				}
				chance := chances(t, row, v, p, i, info)
				var kept, expected, variance, count, counted, spread, all float64
				for e, d := range deltasOf(t, p, i, info) {
					q, m := chance[e], math.Abs(float64(d))
					all += m
					expected += q * m
					variance += q * (1 - q) * m * m
					counted += q
					spread += q * (1 - q)
					if bits[info.Name][e]>>i&1 == 1 {
						kept += m
						count++
					}
				}
				if math.Abs(count-counted) > 4.5*math.Sqrt(spread) {
					t.Errorf("%s, %s of %s: mergekit keeps %g entries, the odds say %.1f ± %.1f", name, info.Name, model, count, counted, math.Sqrt(spread))
				}
				if math.Abs(kept-expected) > 4.5*math.Sqrt(variance) {
					t.Errorf("%s, %s of %s: mergekit keeps an L1 norm of %g, the odds say %.4g ± %.2g", name, info.Name, model, kept, expected, math.Sqrt(variance))
				}
				if want, f := scales[info.Name+"|"+model], ratioL1(all, kept); math.Abs(f/want-1) > 1e-5 {
					t.Errorf("%s, %s of %s: rescaled by %g, mergekit by %g", name, info.Name, model, f, want)
				}
			}
		}
	}
}

// appliedScales reads mergekit's factors.
func appliedScales(t *testing.T, name string) map[string]float64 {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(vectors, "golden", name, "stats.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list []struct {
		Tensor, Model string
		Scale         float64 `json:"applied_scale"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, s := range list {
		out[s.Tensor+"|"+s.Model] = s.Scale
	}
	return out
}

func deltasOf(t *testing.T, p *Parents, source int, info tensors.Info) []float32 {
	t.Helper()
	d, b := values(t, p.sources[source+1], info), values(t, p.sources[0], info)
	for i := range d {
		d[i] -= b[i]
	}
	return d
}

// chances are the odds with which a source's entries are kept.
func chances(t *testing.T, m *Method, v Values, p *Parents, source int, info tensors.Info) []float64 {
	t.Helper()
	out := make([]float64, info.Len())
	if m.RankAxis == nil {
		for i := range out {
			out[i] = v.Get("density")
		}
		return out
	}
	var inputs []int
	for i := range p.sources[1:] {
		inputs = append(inputs, i+1)
	}
	s := &Spec{Method: m, Parts: []Part{{Base: 0, Inputs: inputs}}, Params: func(string) (Values, []Values) { return m.NewValues(), nil }}
	r := newProfile(p, s, info, false).ranked()
	prob, err := odds(v, r.length)
	if err != nil {
		t.Fatal(err)
	}
	rank := make([]uint32, len(out))
	if err := r.ranksAt(source, 0, rank); err != nil {
		t.Fatal(err)
	}
	for i, k := range rank {
		out[i] = prob[k]
	}
	return out
}

// Of 400 runs of mergekit (testdata/mergekit/odd.py), each entry of rows, matrices,
// cubes and four dimensions is kept as often as the odds of its rank say.
func TestDellaRanksExplainMergekit(t *testing.T) {
	const runs, dir = 400, vectors + "/odd"
	counts := openFile(t, dir+"/della_counts.safetensors")
	p, err := NewParents([]string{"base", "b"}, []*tensors.Checkpoint{openFile(t, dir+"/base.safetensors"), openFile(t, dir+"/b.safetensors")}, nil, MissingRefuse, false)
	if err != nil {
		t.Fatal(err)
	}
	m, _ := Lookup("della_linear")
	v := m.NewValues()
	v.Set("density", 0.45)
	v.Set("epsilon", 0.35)
	for _, info := range counts.Tensors() {
		seen, chance := values(t, counts, info), chances(t, m, v, p, 0, info)
		var chi float64
		for i, c := range seen {
			z := (float64(c) - runs*chance[i]) / math.Sqrt(runs*chance[i]*(1-chance[i]))
			if chi += z * z; math.Abs(z) > 5 {
				t.Errorf("%s[%d]: kept %g times of %d, the odds are %g", info.Name, i, c, runs, chance[i])
			}
		}
		if n := float64(len(seen)); math.Abs(chi-n) > 5*math.Sqrt(2*n) {
			t.Errorf("%s: chi square %.0f for %g entries", info.Name, chi, n)
		}
	}
	if !slices.ContainsFunc(counts.Tensors(), func(i tensors.Info) bool { return len(i.Shape) == 4 }) {
		t.Error("no tensor of four dimensions")
	}
}

// Ranks are the same however few of them are asked for at a time.
func TestRanksByPiece(t *testing.T) {
	p := tinyFamily(t)
	m, _ := Lookup("della")
	s := &Spec{Method: m, Parts: []Part{{Base: 0, Inputs: []int{1, 2, 3}}}, Params: func(string) (Values, []Values) { return m.NewValues(), nil }}
	for _, info := range p.Merged() {
		r := newProfile(p, s, info, false).ranked()
		all := make([]uint32, info.Len())
		if err := r.ranksAt(1, 0, all); err != nil {
			t.Fatal(err)
		}
		for _, piece := range []int{7, 61, 1000} {
			got := make([]uint32, len(all))
			for off := 0; off < len(got); off += piece {
				if err := r.ranksAt(1, off, got[off:min(off+piece, len(got))]); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(got, all) {
				t.Errorf("%s in pieces of %d: other ranks", info.Name, piece)
			}
		}
	}
}
