package floor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/bench/family"
	"github.com/mergevo/mergevo/tensors"
)

var tiny = family.Shape{Hidden: 96, Intermediate: 160, Layers: 2, Vocabulary: 300, Heads: 4, KVHeads: 1}

// built compiles the program, or skips where there is no compiler.
func built(t *testing.T) string {
	t.Helper()
	if _, err := Compiler(); errors.Is(err, exec.ErrNotFound) {
		t.Skip(err)
	}
	program, err := Build(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// run merges, and returns the output by tensor.
func run(t *testing.T, program string, m Merge, threads int) map[string][]uint16 {
	t.Helper()
	dir := t.TempDir()
	plan, out := filepath.Join(dir, "plan"), filepath.Join(dir, "out")
	placed, err := Plan(plan, m)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := exec.Command(program, fmt.Sprint(threads), plan, out).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]uint16{}
	for _, p := range placed {
		got[p.Name] = words(data[p.At : p.At+2*int64(p.Len)])
	}
	return got
}

func words(b []byte) []uint16 {
	out := make([]uint16, len(b)/2)
	for i := range out {
		out[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return out
}

func raw(t *testing.T, dir string) map[string][]uint16 {
	t.Helper()
	c, err := tensors.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	out := map[string][]uint16{}
	for _, info := range c.Tensors() {
		b, err := c.Raw(info.Name)
		if err != nil {
			t.Fatal(err)
		}
		out[info.Name] = words(b)
	}
	return out
}

func wide(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }

func narrow(f float32) uint16 {
	b := math.Float32bits(f)
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// keep marks the entries of |x - b| that a merge keeps, by sorting.
func (m Merge) keep(x, b []uint16) []bool {
	n := len(x)
	mag, order := make([]float32, n), make([]int, n)
	for i := range x {
		d := wide(x[i]) - wide(b[i])
		if mag[i] = max(d, -d); mag[i] < 0x1p-126 {
			mag[i] = 0
		}
		order[i] = i
	}
	out := make([]bool, n)
	c := m.Counts(n)
	switch m.Method {
	case "ties": // falling; of equals the lower index first
		slices.SortStableFunc(order, func(i, j int) int { return cmp(mag[j], mag[i]) })
		order = order[:min(n, c[0])]
	case "breadcrumbs": // rising; of equals the lower index first
		slices.SortStableFunc(order, func(i, j int) int { return cmp(mag[i], mag[j]) })
		order = order[c[0]:c[1]]
	}
	for _, i := range order {
		out[i] = true
	}
	return out
}

func cmp(a, b float32) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// fused is a*b + c in float32, rounded once, as a fused multiply-add gives it. The
// product is exact in float64; a sum that is not is made odd, so that rounding it to
// float32 cannot round twice (Boldo & Melquiond 2008).
func fused(a, b, c float32) float32 {
	p, z := float64(a)*float64(b), float64(c)
	s := p + z
	t := s - p
	if rest := (p - (s - t)) + (z - t); rest != 0 && math.Float64bits(s)&1 == 0 {
		if (rest > 0) == (s > 0) {
			s = math.Float64frombits(math.Float64bits(s) + 1)
		} else {
			s = math.Float64frombits(math.Float64bits(s) - 1)
		}
	}
	return float32(s)
}

func plain(a, b, c float32) float32 { return float32(a*b) + c }

// reference merges a tensor as mergevo's rules say.
func (m Merge) reference(b, u, v []uint16, plus func(a, b, c float32) float32) []uint16 {
	ku, kv := m.keep(u, b), m.keep(v, b)
	p, q := m.Weights[0], m.Weights[1]
	out := make([]uint16, len(b))
	for i := range out {
		B, U, V := wide(b[i]), wide(u[i]), wide(v[i])
		switch m.Method {
		case "linear":
			out[i] = narrow(plus(p, U, float32(q*V)))
			continue
		case "task_arithmetic":
			out[i] = narrow(B + plus(p, U-B, float32(q*(V-B))))
			continue
		}
		var x, y float32
		if ku[i] {
			x = float32(p * (U - B))
		}
		if kv[i] {
			y = float32(q * (V - B))
		}
		if m.Method == "breadcrumbs" {
			out[i] = narrow(B + (x + y))
			continue
		}
		var sum, div float32
		up := x+y >= 0
		if up && x > 0 || !up && x < 0 {
			sum, div = sum+x, div+p
		}
		if up && y > 0 || !up && y < 0 {
			sum, div = sum+y, div+q
		}
		if div == 0 {
			div = 1
		}
		out[i] = narrow(B + sum/div)
	}
	return out
}

func TestAgainstGo(t *testing.T) {
	program := built(t)
	dir := t.TempDir()
	if err := family.Write(context.Background(), dir, tiny, 50_000); err != nil {
		t.Fatal(err)
	}
	var models [3]string
	for k, name := range family.Models {
		models[k] = filepath.Join(dir, name)
	}
	flat := models
	flat[2] = flat[0] // every entry of the second model equals the base's: all tie at 0
	// No product of the first weights is exact, so where one is fused shows.
	inexact, halves := [2]float32{0.7, 0.3}, [2]float32{0.5, 0.3}
	for _, m := range []Merge{
		{Method: "linear", Models: models, Weights: inexact},
		{Method: "task_arithmetic", Models: models, Weights: inexact},
		{Method: "ties", Models: models, Weights: halves, Density: 0.5},
		{Method: "ties", Models: models, Weights: halves, Density: 0.2},
		{Method: "ties", Models: models, Weights: halves, Density: 1},
		{Method: "ties", Models: models, Weights: halves, Density: 1e-9},
		{Method: "ties", Models: flat, Weights: halves, Density: 0.5},
		{Method: "breadcrumbs", Models: models, Weights: halves, Density: 0.5, Gamma: 0.01},
		{Method: "breadcrumbs", Models: models, Weights: halves, Density: 0.9, Gamma: 0.2},
		{Method: "breadcrumbs", Models: models, Weights: halves, Density: 0.05, Gamma: 0},
		{Method: "breadcrumbs", Models: models, Weights: halves, Density: 1, Gamma: 0.01},
		{Method: "breadcrumbs", Models: flat, Weights: halves, Density: 0.4, Gamma: 0.1},
	} {
		t.Run(fmt.Sprintf("%s %g %g %v", m.Method, m.Density, m.Gamma, m.Models == flat), func(t *testing.T) {
			one, two := run(t, program, m, 1), run(t, program, m, 3)
			base, u, v := raw(t, m.Models[0]), raw(t, m.Models[1]), raw(t, m.Models[2])
			for name, b := range base {
				if !slices.Equal(one[name], two[name]) {
					t.Errorf("%s depends on the number of threads", name)
				}
				// The program fuses product and sum where the processor does.
				fused, plain := m.reference(b, u[name], v[name], fused), m.reference(b, u[name], v[name], plain)
				if slices.Equal(one[name], fused) || slices.Equal(one[name], plain) {
					continue
				}
				for i := range b {
					if one[name][i] != fused[i] {
						t.Fatalf("%s[%d] is %04x, want %04x", name, i, one[name][i], fused[i])
					}
				}
			}
		})
	}
}

// Cuts that fall among equals, at either side of a block's end and in its middle.
func TestCutsAmongEquals(t *testing.T) {
	program := built(t)
	n := 3*2048 + 5
	for _, levels := range []int{1, 2, 7} {
		dir := t.TempDir()
		info := []tensors.Info{{Name: "a", DType: tensors.BF16, Shape: []int{n}}, {Name: "one", DType: tensors.BF16, Shape: []int{1}}}
		var models [3]string
		for k := range models {
			models[k] = filepath.Join(dir, fmt.Sprint(k))
			w, err := tensors.Create(models[k], info, tensors.Options{})
			if err != nil {
				t.Fatal(err)
			}
			v := make([]float32, n)
			for i := range v {
				v[i] = float32(k) * float32((i*31+k)%levels+1) * float32(1-i%2*2)
			}
			if err := errors.Join(w.WriteAt(v, "a", 0), w.WriteAt(v[:1], "one", 0), w.Commit()); err != nil {
				t.Fatal(err)
			}
		}
		for _, kept := range []int{1, 2047, 2048, 2049, 4096, 5000, n - 1, n} {
			for _, method := range []string{"ties", "breadcrumbs"} {
				m := Merge{Method: method, Models: models, Weights: [2]float32{0.5, 0.3}, Density: (float64(kept) + 0.5) / float64(n), Gamma: 0.01}
				if got := m.Counts(n); method == "ties" && got[0] != kept {
					t.Fatalf("%d kept, want %d", got[0], kept)
				}
				got := run(t, program, m, 2)
				base, u, v := raw(t, models[0]), raw(t, models[1]), raw(t, models[2])
				for name := range base {
					if want := m.reference(base[name], u[name], v[name], plain); !slices.Equal(got[name], want) {
						t.Errorf("%s, %d levels, %d kept: %s differs", method, levels, kept, name)
					}
				}
			}
		}
	}
}

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	if err := family.Write(context.Background(), dir, tiny, 0); err != nil {
		t.Fatal(err)
	}
	base, empty := filepath.Join(dir, "base"), t.TempDir()
	for _, c := range []struct {
		m    Merge
		want string
	}{
		{Merge{Method: "slerp"}, "task_arithmetic"},
		{Merge{Method: "linear", Models: [3]string{base, base, empty}}, empty},
	} {
		if _, err := Plan(filepath.Join(empty, "plan"), c.m); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v", c.m, err)
		}
	}
	program := built(t)
	for text, want := range map[string]string{
		"method median\n":          "no method",
		"method ties\nweights 1\n": ":2:",
		"method ties\nweights 1 1\ntensor 1 0 1 0 0 0 0 0 0 0": ":3:", // a file that is not there
		"method ties\nfile /nowhere/at/all\n":                  "/nowhere/at/all",
	} {
		plan := filepath.Join(empty, "plan.txt")
		if err := os.WriteFile(plan, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(program, "1", plan, filepath.Join(empty, "out")).CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%q: %v: %s", text, err, out)
		}
	}
}
