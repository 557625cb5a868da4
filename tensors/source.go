package tensors

import "fmt"

// Source is a set of named tensors that can be read: a [Checkpoint], or a view
// of some. Its methods may be called from several goroutines at once.
type Source interface {
	// Path names the source in messages.
	Path() string
	// Tensors returns what there is, sorted by name.
	Tensors() []Info
	// Lookup returns the tensor of a name, and whether there is one.
	Lookup(name string) (Info, bool)
	// ReadAt decodes the len(dst) elements from off on, counted in row-major
	// order, to float32, as [Checkpoint.ReadAt] does.
	ReadAt(dst []float32, name string, off int) error
	// Stored calls use with the bytes of the n elements from off on, little
	// endian, in the tensor's dtype. They must not be written to, nor read after
	// use has returned. The error of use is returned.
	Stored(name string, off, n int, use func([]byte) error) error
}

var _ Source = (*Checkpoint)(nil)

// Stored gives use a piece of the mapped file, inside [Checkpoint.Guard].
func (c *Checkpoint) Stored(name string, off, n int, use func([]byte) error) error {
	c.open.RLock()
	defer c.open.RUnlock()
	p, err := c.find(name)
	if err != nil {
		return err
	}
	if all := p.Len(); off < 0 || off > all || n < 0 || n > all-off {
		return fmt.Errorf("%s: tensor %q has %d elements; [%d, %d) is out of range", p.file.path, name, all, off, off+n)
	}
	size := p.DType.Size()
	if err := c.Guard(func() error { return use(p.bytes()[off*size : (off+n)*size]) }); err != nil {
		return err
	}
	return p.file.unchanged()
}
