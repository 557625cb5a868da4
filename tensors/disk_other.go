//go:build !linux && !darwin && !freebsd

package tensors

import (
	"errors"
	"io/fs"
	"os"
)

func freeBytes(string) (uint64, bool) { return 0, false }

// replace needs two steps here: os.Rename does not replace a folder.
func replace(from, to string) error {
	if info, err := os.Lstat(to); err == nil && info.IsDir() {
		if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.Rename(from, to)
}

func sameDevice(_, _ string) bool { return true }

// syncDir does nothing: a folder cannot be synced on every such system.
func syncDir(string) error { return nil }
