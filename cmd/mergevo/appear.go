package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// placeable refuses, before the work for it, a file that is there already or that could
// not be written; its folder is made.
func placeable(file string) error {
	if _, err := os.Lstat(file); err == nil {
		return usage(fmt.Errorf("%s is there already; remove it or choose another", file))
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return plainPath(err)
	}
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-")
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", file, plainPath(err))
	}
	return plainPath(errors.Join(f.Close(), os.Remove(f.Name())))
}

// appear writes a file that is there whole or not at all.
func appear(file string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-")
	if err != nil {
		return plainPath(err)
	}
	defer os.Remove(f.Name()) //nolint:errcheck // gone where all went well
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return plainPath(err)
	}
	return plainPath(os.Rename(f.Name(), file))
}
