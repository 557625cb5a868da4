package tensors_test

import (
	"testing"

	"github.com/mergevo/mergevo/tensors"
)

func TestDTypeNames(t *testing.T) {
	for d := tensors.F64; d <= tensors.F4; d++ {
		got, err := tensors.ParseDType(d.String())
		if err != nil || got != d {
			t.Errorf("ParseDType(%q) = %v, %v", d.String(), got, err)
		}
		if d.Torch() == "" {
			continue
		}
		for _, name := range []string{d.Torch(), "torch." + d.Torch()} {
			got, err := tensors.ParseTorchDType(name)
			if err != nil || got != d {
				t.Errorf("ParseTorchDType(%q) = %v, %v; want %v", name, got, err, d)
			}
		}
	}
	for _, bad := range []string{"", "bf16", "F128", "DType(0)"} {
		if d, err := tensors.ParseDType(bad); err == nil {
			t.Errorf("ParseDType(%q) = %v", bad, d)
		}
		if d, err := tensors.ParseTorchDType(bad); err == nil {
			t.Errorf("ParseTorchDType(%q) = %v", bad, d)
		}
	}
	if got := (tensors.DType(0)).String() + (tensors.DType(200)).String(); got != "DType(0)DType(200)" {
		t.Error(got)
	}
}

func TestInfoSizes(t *testing.T) {
	for _, test := range []struct {
		info  tensors.Info
		len   int
		bytes int64
	}{
		{tensors.Info{DType: tensors.BF16, Shape: []int{2, 3}}, 6, 12},
		{tensors.Info{DType: tensors.F64}, 1, 8},
		{tensors.Info{DType: tensors.F64, Shape: []int{3, 0}}, 0, 0},
		{tensors.Info{DType: tensors.F4, Shape: []int{6}}, 6, 3},
		{tensors.Info{DType: tensors.F6E2M3, Shape: []int{4}}, 4, 3},
		{tensors.Info{DType: tensors.F8E5M2, Shape: []int{4}}, 4, 4},
	} {
		if test.info.Len() != test.len || test.info.Bytes() != test.bytes {
			t.Errorf("%v %v: Len %d, Bytes %d; want %d, %d", test.info.DType, test.info.Shape, test.info.Len(), test.info.Bytes(), test.len, test.bytes)
		}
	}
	if tensors.F4.Size() != 0 || tensors.F6E2M3.Size() != 0 || tensors.F8E4M3.Size() != 1 || tensors.F8E4M3.Float() {
		t.Error("sizes of small floats")
	}
}
