//go:build !linux || !cgo

package xla

func keepLargeBlocks() {}

// ReturnBlocks does something where memory is glibc's.
func ReturnBlocks() {}
