package tensors

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// Info says what a tensor is, without its numbers. Shape is row major; an
// empty Shape is a scalar, a 0 in it makes the tensor empty.
type Info struct {
	Name  string
	DType DType
	Shape []int
}

// Len returns the number of elements: 1 for a scalar, 0 for an empty tensor.
func (i Info) Len() int {
	n := 1
	for _, d := range i.Shape {
		n *= d
	}
	return n
}

// Bytes returns the bytes the elements take on disk.
func (i Info) Bytes() int64 {
	n, err := byteSize(i.DType, i.Shape)
	if err != nil {
		return 0
	}
	return n
}

var errTooLarge = errors.New("shape is too large for any file")

// byteSize returns the bytes of a tensor. Overflow is checked at each product,
// as the reference reader does, so [1<<40, 1<<40, 0] is refused too: no honest
// file holds it.
func byteSize(d DType, shape []int) (int64, error) {
	if !d.valid() {
		return 0, fmt.Errorf("unknown dtype %v", d)
	}
	n := uint64(1)
	for _, dim := range shape {
		if dim < 0 {
			return 0, fmt.Errorf("shape %v has a negative dimension", shape)
		}
		hi, lo := bits.Mul64(n, uint64(dim))
		if hi != 0 || lo > math.MaxInt {
			return 0, errTooLarge
		}
		n = lo
	}
	hi, lo := bits.Mul64(n, uint64(dtypes[d].bits))
	if hi != 0 || lo/8 > math.MaxInt64 {
		return 0, errTooLarge
	}
	if lo%8 != 0 {
		return 0, fmt.Errorf("%d elements of %v do not fill whole bytes", n, d)
	}
	return int64(lo / 8), nil
}
