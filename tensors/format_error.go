package tensors

import (
	"fmt"
	"strings"
)

// FormatError says what is wrong in a file that should hold tensors.
type FormatError struct {
	Path   string
	Offset int64  // byte in the file where it shows; -1 when it has no place
	Tensor string // the tensor concerned, or ""
	Err    error  // the reason, in words that tell what to do
}

// Error returns path, byte, tensor and reason on one line.
func (e *FormatError) Error() string {
	var b strings.Builder
	b.WriteString(e.Path)
	if e.Offset >= 0 {
		fmt.Fprintf(&b, ": byte %d", e.Offset)
	}
	if e.Tensor != "" {
		fmt.Fprintf(&b, ": tensor %q", e.Tensor)
	}
	b.WriteString(": ")
	b.WriteString(e.Err.Error())
	return b.String()
}

// Unwrap returns the reason.
func (e *FormatError) Unwrap() error { return e.Err }

func malformed(path string, offset int64, tensor, format string, args ...any) error {
	return &FormatError{Path: path, Offset: offset, Tensor: tensor, Err: fmt.Errorf(format, args...)}
}
