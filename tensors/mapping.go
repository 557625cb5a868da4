package tensors

import (
	"errors"
	"fmt"
	"math"
	"os"
	"unsafe"

	"github.com/edsrzf/mmap-go"
)

// mapping is one file, mapped read only. The file stays open so that a change
// of its size can be seen.
type mapping struct {
	path string
	file *os.File
	data mmap.MMap
	size int64
	base uintptr // address of data, kept to recognise a fault in it
}

// openMapping maps the file at path and returns its header.
func openMapping(path string) (_ *mapping, _ *header, err error) {
	// Asked before opening: opening a pipe would wait for a writer.
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, fmt.Errorf("opening tensors: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, malformed(path, -1, "", "not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("opening tensors: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if info, err = f.Stat(); err != nil {
		return nil, nil, fmt.Errorf("opening tensors: %w", err)
	}
	size := info.Size()
	if size > math.MaxInt {
		return nil, nil, malformed(path, -1, "", "%d bytes cannot be mapped on a 32-bit machine", size)
	}
	h, err := readHeader(f, path, size)
	if err != nil {
		return nil, nil, err
	}
	data, err := mmap.MapRegion(f, int(size), mmap.RDONLY, 0, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("mapping %s: %w", path, err)
	}
	m := &mapping{path: path, file: f, data: data, size: size}
	m.base = uintptr(unsafe.Pointer(unsafe.SliceData(data)))
	return m, h, nil
}

// unchanged reports, as an error, that the file has another size than when it
// was opened. A file cut within its last page does not fault: it reads as 0.
func (m *mapping) unchanged() error {
	info, err := m.file.Stat()
	if err != nil {
		return fmt.Errorf("reading %s: %w", m.path, err)
	}
	if info.Size() != m.size {
		return m.changed()
	}
	return nil
}

func (m *mapping) changed() error {
	return fmt.Errorf("%s: %w; run again when nothing writes to it", m.path, ErrChanged)
}

func (m *mapping) close() error {
	return errors.Join(m.data.Unmap(), m.file.Close())
}
