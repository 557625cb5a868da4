package merge

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Every way of looking through magnitudes finds the same.
func TestScan(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for n := range 300 {
		mag := make([]float32, n)
		for i := range mag {
			mag[i] = float32(rng.IntN(20)) / 4
		}
		low, high := math.Float32bits(float32(1+rng.IntN(20))/4), math.Float32bits(float32(rng.IntN(20))/4)
		width := max(high, low) - low
		in := make([]uint64, 5)
		in[0] = 1 << 63 // of another time
		below := scan(mag, low, width, in)
		for i, m := range mag {
			b := math.Float32bits(m)
			if b < low {
				below--
			}
			if want := b >= low && b-low < width; width > 0 && in[i/64]>>(i%64)&1 == 1 != want {
				t.Errorf("%d of %d, %g in [%#x, +%d): %v, want %v", i, n, m, low, width, !want, want)
			}
		}
		if below != 0 {
			t.Errorf("of %d, %d too many are below", n, below)
		}
	}
}

// Every way of subtracting gives the same bits, whatever the values and lengths.
func TestSubtractBrains(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	special := []uint16{0, 0x8000, 1, 0x8001, 0x7f, 0x80, 0x7f80, 0xff80, 0x7fc0, 0x7f7f, 0xff7f, 0x3f80, 0x3f81}
	for n := range 70 {
		x, b := make([]byte, 2*n), make([]byte, 2*n)
		want, most := make([]float32, n), uint32(0)
		for i := range n {
			u, v := uint16(rng.Uint32()), uint16(rng.Uint32())
			if rng.IntN(3) == 0 {
				u = special[rng.IntN(len(special))]
			}
			if rng.IntN(3) == 0 {
				v = special[rng.IntN(len(special))]
			}
			x[2*i], x[2*i+1], b[2*i], b[2*i+1] = byte(u), byte(u>>8), byte(v), byte(v>>8)
			bits := flushedBits(math.Float32frombits(uint32(u)<<16) - math.Float32frombits(uint32(v)<<16))
			want[i], most = math.Float32frombits(bits), max(most, bits)
		}
		got := make([]float32, n)
		if largest := subtractBrains(got, x, b); (largest > 0x7f800000) != (most > 0x7f800000) || most <= 0x7f800000 && largest != most {
			t.Errorf("of %d: the largest is %#x, not %#x", n, largest, most)
		}
		for i := range got {
			g, w := math.Float32bits(got[i]), math.Float32bits(want[i])
			if g != w && !(got[i] != got[i] && want[i] != want[i]) {
				t.Errorf("%d of %d: %#x, want %#x", i, n, g, w)
			}
		}
	}
}

// Every way of drawing gives the same noise.
func TestNoiseMany(t *testing.T) {
	for n := range 70 {
		key, from := [2]uint32{uint32(n) * 77, 5}, uint32(0xffffffe0+n) // past the last index
		got := make([]uint32, n)
		noise32(got, key, from)
		for i, g := range got {
			if want := noiseAt(key, from+uint32(i)); g != want {
				t.Errorf("%d of %d: %#x, want %#x", i, n, g, want)
			}
		}
	}
}
