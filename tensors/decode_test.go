package tensors_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mergevo/mergevo/tensors"
)

// half is a 16-bit float format described by its widths alone, the slow and
// obvious way; values are float64, where every operation below is exact.
type half struct {
	dtype     tensors.DType
	mant, exp int // bits
}

var halves = []half{{tensors.F16, 10, 5}, {tensors.BF16, 7, 8}}

func (h half) bias() int { return 1<<(h.exp-1) - 1 }

func (h half) value(bits uint16) float64 {
	sign := 1.0
	if bits>>15 == 1 {
		sign = -1
	}
	e := int(bits>>h.mant) & (1<<h.exp - 1)
	m := float64(int(bits) & (1<<h.mant - 1))
	switch {
	case e == 1<<h.exp-1 && m != 0:
		return math.NaN()
	case e == 1<<h.exp-1:
		return sign * math.Inf(1)
	case e == 0:
		return sign * math.Ldexp(m, 1-h.bias()-h.mant)
	}
	return sign * math.Ldexp(1+math.Ldexp(m, -h.mant), e-h.bias())
}

// round finds the nearest pattern by search: magnitudes are ordered as their
// patterns are, and infinity stands where the next finite value would.
func (h half) round(x float64) uint16 {
	sign := uint16(0)
	if math.Signbit(x) {
		sign, x = 0x8000, -x
	}
	inf := uint16((1<<h.exp - 1) << h.mant)
	lo, hi := uint16(0), inf
	for lo+1 < hi {
		if mid := lo + (hi-lo)/2; h.value(mid) <= x {
			lo = mid
		} else {
			hi = mid
		}
	}
	top := math.Ldexp(1, 1<<h.exp-1-h.bias()) // the value at inf were it finite
	above := top
	if hi != inf {
		above = h.value(hi)
	}
	switch d := (x - h.value(lo)) - (above - x); {
	case math.IsInf(x, 1), x >= top, d > 0, d == 0 && lo&1 == 1:
		return sign | hi
	}
	return sign | lo
}

func TestHalfEveryPattern(t *testing.T) {
	for _, h := range halves {
		src := make([]byte, 2<<16)
		for i := range 1 << 16 {
			binary.LittleEndian.PutUint16(src[2*i:], uint16(i))
		}
		nums := make([]float32, 1<<16)
		if err := tensors.Decode(nums, src, h.dtype); err != nil {
			t.Fatal(err)
		}
		for i, got := range nums {
			want := h.value(uint16(i))
			if math.IsNaN(want) != (got != got) || want == want && (float64(got) != want || math.Signbit(float64(got)) != math.Signbit(want)) {
				t.Fatalf("%v: pattern %04x decodes to %v, want %v", h.dtype, i, got, want)
			}
		}
		back := make([]byte, len(src))
		if err := tensors.Encode(back, nums, h.dtype); err != nil {
			t.Fatal(err)
		}
		if string(back) != string(src) {
			t.Errorf("%v: encoding what was decoded changes it", h.dtype)
		}
	}
}

func TestHalfRounding(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, h := range halves {
		var nums []float32
		for i := range 1 << 15 { // every positive pattern, its ties, and their neighbours
			v := h.value(uint16(i))
			next := h.value(uint16(i + 1))
			if math.IsNaN(v) || math.IsInf(v, 0) {
				continue
			}
			if math.IsInf(next, 0) {
				next = math.Ldexp(1, 1<<h.exp-1-h.bias())
			}
			tie := float32((v + next) / 2) // bfloat16: exact, or below float32's reach
			for _, x := range []float32{float32(v), tie} {
				down, up := math.Nextafter32(x, 0), math.Nextafter32(x, float32(math.Inf(1)))
				nums = append(nums, x, down, up, -x, -down, -up)
			}
		}
		for range 1 << 17 {
			nums = append(nums, math.Float32frombits(rng.Uint32()))
		}
		nums = append(nums, float32(math.Inf(1)), float32(math.Inf(-1)), math.MaxFloat32, math.SmallestNonzeroFloat32, 65519.996, 65520, 1e30)
		dst := make([]byte, 2*len(nums))
		if err := tensors.Encode(dst, nums, h.dtype); err != nil {
			t.Fatal(err)
		}
		for i, x := range nums {
			got := binary.LittleEndian.Uint16(dst[2*i:])
			if x != x {
				if !math.IsNaN(h.value(got)) {
					t.Fatalf("%v: NaN %08x encodes to %04x", h.dtype, math.Float32bits(x), got)
				}
				continue
			}
			if want := h.round(float64(x)); got != want {
				t.Fatalf("%v: %v (%08x) encodes to %04x, want %04x", h.dtype, x, math.Float32bits(x), got, want)
			}
		}
	}
}

// A NaN whose payload is all in the bits cut off must not become infinite.
func TestHalfNaNPayload(t *testing.T) {
	for _, h := range halves {
		dst := make([]byte, 4)
		if err := tensors.Encode(dst, []float32{math.Float32frombits(0x7f800001), math.Float32frombits(0xff800001)}, h.dtype); err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			if bits := binary.LittleEndian.Uint16(dst[2*i:]); !math.IsNaN(h.value(bits)) {
				t.Errorf("%v: %04x is no NaN", h.dtype, bits)
			}
		}
	}
}

func TestWideFloats(t *testing.T) {
	nan := math.NaN()
	for _, test := range []struct {
		in   float64
		want float32
	}{
		{0.1, 0.1}, {1 + 0x1p-24, 1}, {1 + 0x1p-24 + 0x1p-50, 1 + 0x1p-23}, {1 + 3*0x1p-24, 1 + 0x1p-22},
		{0x1p-150, 0}, {0x1.8p-149, 0x1p-148}, {1e300, float32(math.Inf(1))}, {math.Inf(-1), float32(math.Inf(-1))}, {nan, float32(nan)},
	} {
		src := binary.LittleEndian.AppendUint64(nil, math.Float64bits(test.in))
		var got [1]float32
		if err := tensors.Decode(got[:], src, tensors.F64); err != nil {
			t.Fatal(err)
		}
		if got[0] != test.want && !(math.IsNaN(test.in) && got[0] != got[0]) {
			t.Errorf("%v decodes to %v, want %v", test.in, got[0], test.want)
		}
	}
	rng := rand.New(rand.NewPCG(3, 4))
	nums := make([]float32, 1000)
	for i := range nums {
		nums[i] = float32(rng.NormFloat64())
	}
	nums[0], nums[1] = math.SmallestNonzeroFloat32, math.MaxFloat32
	for _, d := range []tensors.DType{tensors.F32, tensors.F64} {
		b := make([]byte, len(nums)*d.Size())
		got := make([]float32, len(nums))
		if err := tensors.Encode(b, nums, d); err != nil {
			t.Fatal(err)
		}
		if err := tensors.Decode(got, b, d); err != nil {
			t.Fatal(err)
		}
		for i := range nums {
			if got[i] != nums[i] {
				t.Fatalf("%v: %v becomes %v", d, nums[i], got[i])
			}
		}
	}
}

func TestConvertErrors(t *testing.T) {
	for _, test := range []struct {
		elements, bytes int
		dtype           tensors.DType
	}{{1, 1, tensors.F8E4M3}, {1, 8, tensors.I64}, {2, 3, tensors.BF16}, {0, 0, tensors.DType(0)}, {1, 0, tensors.F32}} {
		nums, b := make([]float32, test.elements), make([]byte, test.bytes)
		if err := tensors.Decode(nums, b, test.dtype); err == nil {
			t.Errorf("Decode %+v: no error", test)
		}
		if err := tensors.Encode(b, nums, test.dtype); err == nil {
			t.Errorf("Encode %+v: no error", test)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, d := range []tensors.DType{tensors.F32, tensors.BF16, tensors.F16, tensors.F64} {
		b.Run(d.String(), func(b *testing.B) {
			src, dst := benchmarkData(b, d)
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				if err := tensors.Decode(dst, src, d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, d := range []tensors.DType{tensors.F32, tensors.BF16, tensors.F16, tensors.F64} {
		b.Run(d.String(), func(b *testing.B) {
			dst, src := benchmarkData(b, d)
			b.SetBytes(int64(len(dst)))
			for b.Loop() {
				if err := tensors.Encode(dst, src, d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchmarkData(b *testing.B, d tensors.DType) ([]byte, []float32) {
	rng := rand.New(rand.NewPCG(5, 6))
	nums := make([]float32, 1<<16)
	for i := range nums {
		nums[i] = 0.02 * float32(rng.NormFloat64())
	}
	stored := make([]byte, len(nums)*d.Size())
	if err := tensors.Encode(stored, nums, d); err != nil {
		b.Fatal(err)
	}
	return stored, nums
}
