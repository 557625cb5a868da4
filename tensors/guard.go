package tensors

import (
	"errors"
	"runtime"
	"runtime/debug"
)

// ErrChanged is returned by reads when another program cut or replaced a
// file's bytes after [Open].
var ErrChanged = errors.New("file changed while being read")

// Guard calls fn, which reads bytes given by [Checkpoint.Raw], and returns its
// error, or one that wraps [ErrChanged] where the file was truncated under the
// read: without Guard such a read ends the program. It covers the goroutine
// that calls it, not others that fn starts, and not C code.
func (c *Checkpoint) Guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		// Only a fault has an address; any other panic is a bug in fn.
		if fault, ok := r.(interface {
			runtime.Error
			Addr() uintptr
		}); ok {
			for _, m := range c.maps {
				if at := fault.Addr(); at >= m.base && at-m.base < uintptr(m.size) {
					err = m.changed()
					return
				}
			}
		}
		panic(r)
	}()
	return fn()
}
