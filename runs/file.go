package runs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// WriteFile writes a result, such as best.yaml, into the run's directory: whole
// or, should anything happen, as it was before. The name may have folders, which
// are made, but may not lead out of the run or name the run's own files.
func (r *Run) WriteFile(name string, data []byte) error {
	if !filepath.IsLocal(name) || reserved(filepath.Clean(name)) {
		return r.err(fmt.Errorf("write %q: not a name for a result; choose another inside the run's directory", name))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.writable(); err != nil {
		return r.err(err)
	}
	if err := replace(filepath.Join(r.dir, name), data); err != nil {
		return r.err(fmt.Errorf("write %s: %w", name, err))
	}
	return nil
}

// reserved tells the run's own files.
func reserved(name string) bool {
	return name == "." || name == lockName || name == logName || strings.HasPrefix(name, dbName)
}

// replace puts data at path by way of a file beside it. What a killed process
// left of that is overwritten next time.
func replace(path string, data []byte) error {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	temp := path + ".partial"
	var f *os.File
	err := durable("create", temp, func() (err error) {
		f, err = os.Create(temp)
		return err
	})
	if f != nil {
		defer f.Close()
	}
	if err != nil {
		return err
	}
	err = durable("write", temp, func() error { _, err := f.Write(data); return err })
	if err == nil {
		err = durable("fsync", temp, f.Sync)
	}
	if err == nil {
		err = f.Close()
	}
	if err == nil {
		return moveTo(path, temp)
	}
	_ = os.Remove(temp)
	return err
}

// moveTo renames temp to path and makes that last.
func moveTo(path, temp string) error {
	if err := durable("rename", path, func() error { return os.Rename(temp, path) }); err != nil {
		return err
	}
	return durable("fsync", filepath.Dir(path), func() error { return syncFolder(filepath.Dir(path)) })
}

// syncFolder makes the names in folder last. Where folders cannot be synced, as
// on Windows and some network file systems, renames have to do.
func syncFolder(folder string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
