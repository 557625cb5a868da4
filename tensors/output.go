package tensors

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// output is a file being written.
type output struct {
	path string
	file *os.File
	made bool // by us, hence ours to remove
	done bool // synced and closed
}

// disk does what touches the disk, each thing between two calls of fault.
type disk struct {
	fault func(op, path string) error
	full  func() string // what to say when the disk is full
}

func (d disk) step(op, path string, do func() error) error {
	if d.fault != nil {
		if err := d.fault("before "+op, path); err != nil {
			return d.explain(op, path, err)
		}
	}
	if err := do(); err != nil {
		return d.explain(op, path, err)
	}
	if d.fault != nil {
		if err := d.fault("after "+op, path); err != nil {
			return d.explain(op, path, err)
		}
	}
	return nil
}

// explain says what was being done, where the system's error does not already,
// and how to go on.
func (d disk) explain(op, path string, err error) error {
	var pathErr *fs.PathError
	var linkErr *os.LinkError
	if !errors.As(err, &pathErr) && !errors.As(err, &linkErr) {
		err = fmt.Errorf("%s %s: %w", op, path, err)
	}
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: %w; the disk is full: %s", ErrNoSpace, err, d.full())
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w; choose an output folder that can be written to", err)
	}
	return err
}

func (d disk) create(o *output) error {
	return d.step("create", o.path, func() (err error) {
		o.file, err = os.OpenFile(o.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		o.made = err == nil
		return err
	})
}

// reopen opens a file that create made and close closed.
func (d disk) reopen(o *output) error {
	return d.step("open", o.path, func() (err error) {
		o.file, err = os.OpenFile(o.path, os.O_WRONLY, 0)
		return err
	})
}

func (d disk) write(o *output, b []byte, at int64) error {
	return d.step("write", o.path, func() error {
		_, err := o.file.WriteAt(b, at)
		return err
	})
}

// finish makes the file durable and closes it.
func (d disk) finish(o *output) error {
	err := d.step("fsync", o.path, o.file.Sync)
	if err == nil {
		err = o.close()
		o.done = err == nil
	}
	return err
}

func (d disk) syncDir(dir string) error {
	return d.step("fsync", dir, func() error { return syncDir(dir) })
}

func (o *output) close() error {
	if o.file == nil {
		return nil
	}
	f := o.file
	o.file = nil
	return f.Close()
}
