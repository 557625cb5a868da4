package tensors

import (
	"fmt"
	"strings"
)

// DType is the type of a tensor's elements. Its zero value is no type at all.
type DType uint8

// The types safetensors knows. Only F64, F32, F16 and BF16 are decoded here
// (see [DType.Float]); the others are carried as bytes, or named in an error.
const (
	F64 DType = iota + 1
	F32
	F16
	BF16
	I64
	I32
	I16
	I8
	U64
	U32
	U16
	U8
	BOOL
	C64
	F8E4M3
	F8E5M2
	F8E8M0
	F8E4M3FNUZ
	F8E5M2FNUZ
	F6E2M3
	F6E3M2
	F4
)

// dtypes is the only list of what is known of each type: everything below,
// the parsers and the error that lists the names, reads it.
var dtypes = [...]struct {
	name  string // in a safetensors header
	torch string // in a recipe or a config.json; "" where torch has none
	bits  int    // of an element
}{
	F64:        {"F64", "float64", 64},
	F32:        {"F32", "float32", 32},
	F16:        {"F16", "float16", 16},
	BF16:       {"BF16", "bfloat16", 16},
	I64:        {"I64", "int64", 64},
	I32:        {"I32", "int32", 32},
	I16:        {"I16", "int16", 16},
	I8:         {"I8", "int8", 8},
	U64:        {"U64", "uint64", 64},
	U32:        {"U32", "uint32", 32},
	U16:        {"U16", "uint16", 16},
	U8:         {"U8", "uint8", 8},
	BOOL:       {"BOOL", "bool", 8},
	C64:        {"C64", "complex64", 64},
	F8E4M3:     {"F8_E4M3", "float8_e4m3fn", 8},
	F8E5M2:     {"F8_E5M2", "float8_e5m2", 8},
	F8E8M0:     {"F8_E8M0", "float8_e8m0fnu", 8},
	F8E4M3FNUZ: {"F8_E4M3FNUZ", "float8_e4m3fnuz", 8},
	F8E5M2FNUZ: {"F8_E5M2FNUZ", "float8_e5m2fnuz", 8},
	F6E2M3:     {"F6_E2M3", "", 6},
	F6E3M2:     {"F6_E3M2", "", 6},
	F4:         {"F4", "float4_e2m1fn_x2", 4},
}

// ParseDType returns the type with a safetensors name, such as "BF16". Names
// are upper case, as in a header.
func ParseDType(s string) (DType, error) {
	var names []string
	for i, d := range dtypes {
		if d.name == "" {
			continue
		}
		if d.name == s {
			return DType(i), nil
		}
		names = append(names, d.name)
	}
	return 0, fmt.Errorf("unknown dtype %q (known: %s)", s, strings.Join(names, ", "))
}

// ParseTorchDType returns the type with a torch name, such as "bfloat16" or
// "torch.bfloat16": what recipes and config.json files write.
func ParseTorchDType(s string) (DType, error) {
	bare := strings.TrimPrefix(s, "torch.")
	for i, d := range dtypes {
		if d.torch != "" && d.torch == bare {
			return DType(i), nil
		}
	}
	return 0, fmt.Errorf("unknown dtype %q (floating point: bfloat16, float16, float32, float64)", s)
}

// String returns the safetensors name, such as "BF16".
func (d DType) String() string {
	if !d.valid() {
		return fmt.Sprintf("DType(%d)", uint8(d))
	}
	return dtypes[d].name
}

// Torch returns the torch name, such as "bfloat16", or "" where torch has no
// such type.
func (d DType) Torch() string {
	if !d.valid() {
		return ""
	}
	return dtypes[d].torch
}

// Size returns the bytes an element takes, or 0 where it takes less than one
// or no whole number of them.
func (d DType) Size() int {
	if !d.valid() || dtypes[d].bits%8 != 0 {
		return 0
	}
	return dtypes[d].bits / 8
}

// Float reports whether elements can be decoded to float32 and encoded from
// it, hence merged: F64, F32, F16 and BF16.
func (d DType) Float() bool {
	switch d {
	case F64, F32, F16, BF16:
		return true
	}
	return false
}

func (d DType) valid() bool {
	return int(d) < len(dtypes) && dtypes[d].name != ""
}
