package tensors

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// ErrClosed is returned by methods called after Close.
var ErrClosed = errors.New("checkpoint is closed")

// ErrNoTensor is returned where a checkpoint or an output has no tensor of the
// name asked for.
var ErrNoTensor = errors.New("no such tensor")

// Checkpoint is a set of named tensors on disk, open for reading. Its methods
// may be called from several goroutines at once.
type Checkpoint struct {
	path, dir string
	maps      []*mapping
	infos     []Info // sorted by name
	where     map[string]place
	meta      map[string]string

	open   sync.RWMutex // held for reading while mapped bytes are read
	closed bool

	digesting sync.Mutex
	digest    string
}

// place is where a tensor is.
type place struct {
	located
	file *mapping
}

// Close unmaps the files. Bytes given by Raw must not be read after it.
func (c *Checkpoint) Close() error {
	c.open.Lock()
	defer c.open.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	var errs []error
	for _, m := range c.maps {
		errs = append(errs, m.close())
	}
	return errors.Join(errs...)
}

// Path returns the path given to Open.
func (c *Checkpoint) Path() string { return c.path }

// Dir returns the folder of the weights, where config.json and the tokenizer
// are looked for.
func (c *Checkpoint) Dir() string { return c.dir }

// Files returns the paths of the files that hold tensors, sorted.
func (c *Checkpoint) Files() []string {
	files := make([]string, len(c.maps))
	for i, m := range c.maps {
		files[i] = m.path
	}
	return files
}

// Tensors returns what there is, sorted by name.
func (c *Checkpoint) Tensors() []Info {
	infos := slices.Clone(c.infos)
	for i := range infos {
		infos[i].Shape = slices.Clone(infos[i].Shape)
	}
	return infos
}

// Lookup returns the tensor of a name, and whether there is one.
func (c *Checkpoint) Lookup(name string) (Info, bool) {
	p, ok := c.where[name]
	p.Shape = slices.Clone(p.Shape)
	return p.Info, ok
}

// Metadata returns the __metadata__ of the file; of shards, all of it, the
// first shard's value where they differ.
func (c *Checkpoint) Metadata() map[string]string { return maps.Clone(c.meta) }

// Raw returns the stored bytes of a tensor, little endian, row major. They are
// the mapped file itself: never write to them, and read them only before Close
// and inside [Checkpoint.Guard].
func (c *Checkpoint) Raw(name string) ([]byte, error) {
	c.open.RLock()
	defer c.open.RUnlock()
	p, err := c.find(name)
	if err != nil {
		return nil, err
	}
	return p.bytes(), nil
}

// ReadAt decodes the len(dst) elements from off on, counted in row-major
// order, to float32. F64 is rounded to nearest even, and is infinite where
// float32 cannot hold it. A tensor whose dtype is not [DType.Float] is an
// error, as is a range beyond its end.
func (c *Checkpoint) ReadAt(dst []float32, name string, off int) error {
	c.open.RLock()
	defer c.open.RUnlock()
	p, err := c.find(name)
	if err != nil {
		return err
	}
	if !p.DType.Float() {
		return fmt.Errorf("%s: tensor %q is %v, which is not read as numbers", p.file.path, name, p.DType)
	}
	if n := p.Len(); off < 0 || off > n || len(dst) > n-off {
		return fmt.Errorf("%s: tensor %q has %d elements; [%d, %d) is out of range", p.file.path, name, n, off, off+len(dst))
	}
	size := p.DType.Size()
	src := p.bytes()[off*size : (off+len(dst))*size]
	if err := c.Guard(func() error { return Decode(dst, src, p.DType) }); err != nil {
		return err
	}
	return p.file.unchanged()
}

// find needs c.open held, so that what it returns stays mapped.
func (c *Checkpoint) find(name string) (place, error) {
	if c.closed {
		return place{}, fmt.Errorf("%s: %w", c.path, ErrClosed)
	}
	p, ok := c.where[name]
	if !ok {
		return place{}, fmt.Errorf("%s: %w: %q", c.path, ErrNoTensor, name)
	}
	return p, nil
}

func (p place) bytes() []byte { return p.file.data[p.begin:p.end:p.end] }
