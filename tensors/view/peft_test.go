package view_test

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tensors/view"
)

// PEFT's merge_and_unload of adapters with everything in them (testdata/make.py):
// float32 within 1e-6 of the largest value; 16 bits equal on amd64, elsewhere but
// for a tenth of the elements, off by one unit of their last place. Embeddings in
// 16 bits without DoRA, of which PEFT rounds the product too, are as close as that
// rounding lets them be.
func TestPEFT(t *testing.T) {
	// MERGEVO_PEFT names a folder laid out as testdata is, with vectors of one's own.
	dir := os.Getenv("MERGEVO_PEFT")
	if dir == "" {
		dir = "testdata"
	}
	wants, err := filepath.Glob(filepath.Join(dir, "*", "merged.safetensors"))
	if err != nil || len(wants) < 1 || dir == "testdata" && len(wants) != 9 {
		t.Fatalf("%d vectors in %s, %v", len(wants), dir, err)
	}
	for _, file := range wants {
		name := filepath.Base(filepath.Dir(file))
		t.Run(name, func(t *testing.T) {
			want := open(t, file)
			kind := name[strings.LastIndex(name, "-")+1:]
			base := open(t, filepath.Join(dir, kind+".safetensors"))
			a := openAdapter(t, filepath.Join(dir, name))
			got, err := a.On(base)
			if err != nil {
				t.Fatal(err)
			}
			changed := 0
			for _, info := range want.Tensors() {
				x, y, old := numbers(t, got, info.Name), numbers(t, want, info.Name), numbers(t, base, info.Name)
				if !near(x, old, 0) {
					changed++
				}
				if info.DType == tensors.F32 {
					if !near(x, y, 1e-6) {
						t.Errorf("%s: %v, PEFT has %v", info.Name, x, y)
					}
					continue
				}
				if strings.HasPrefix(name, "lora-") && strings.HasPrefix(info.Name, "embed.") {
					eps := map[tensors.DType]float64{tensors.BF16: 0x1p-8, tensors.F16: 0x1p-11}[info.DType]
					for i := range x {
						delta := math.Abs(float64(x[i]) - float64(old[i]))
						if d := math.Abs(float64(x[i]) - float64(y[i])); d > eps*(delta+2*math.Abs(float64(y[i]))) {
							t.Errorf("%s[%d]: %v, PEFT has %v", info.Name, i, x[i], y[i])
						}
					}
					continue
				}
				off := 0
				for i := range x {
					d := ulps(t, x[i], y[i], info.DType)
					if d > 1 {
						t.Errorf("%s[%d]: %v, PEFT has %v", info.Name, i, x[i], y[i])
					}
					off += min(d, 1)
				}
				if most := len(x) / 10; off > most || off > 0 && dir == "testdata" && runtime.GOARCH == "amd64" {
					t.Errorf("%s: %d of %d differ from PEFT's", info.Name, off, len(x))
				}
			}
			if changed < 2 {
				t.Errorf("the adapter changed %d tensors", changed)
			}
		})
	}
}

func openAdapter(t testing.TB, dir string) *view.Adapter {
	t.Helper()
	a, err := view.OpenAdapter(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// near reports whether x and y differ by at most rel of the largest magnitude in y.
func near(x, y []float32, rel float64) bool {
	largest := 0.0
	for _, v := range y {
		largest = max(largest, math.Abs(float64(v)))
	}
	for i := range y {
		if !(math.Abs(float64(x[i])-float64(y[i])) <= rel*largest) {
			return false
		}
	}
	return len(x) == len(y)
}

// ulps counts the steps between two numbers of a 16-bit type.
func ulps(t *testing.T, x, y float32, dt tensors.DType) int {
	t.Helper()
	var b [4]byte
	if err := tensors.Encode(b[:], []float32{x, y}, dt); err != nil {
		t.Fatal(err)
	}
	order := func(lo, hi byte) int {
		n := int(lo) | int(hi&0x7f)<<8
		if hi&0x80 != 0 {
			return -n
		}
		return n
	}
	d := order(b[0], b[1]) - order(b[2], b[3])
	return max(d, -d)
}
