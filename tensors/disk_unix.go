//go:build linux || darwin || freebsd

package tensors

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// freeBytes returns the bytes an ordinary user may still write under dir.
func freeBytes(dir string) (uint64, bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, false
	}
	return uint64(s.Bavail) * uint64(s.Bsize), true
}

// replace renames from to to. Unlike os.Rename it lets the system replace an
// empty folder, in one step.
func replace(from, to string) error {
	if err := unix.Rename(from, to); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// sameDevice reports whether a rename between the two folders can work.
func sameDevice(a, b string) bool {
	var sa, sb unix.Stat_t
	if unix.Stat(a, &sa) != nil || unix.Stat(b, &sb) != nil {
		return true // let the rename itself say what is wrong
	}
	return sa.Dev == sb.Dev
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		err = nil // some network file systems cannot, and need not
	}
	return errors.Join(err, d.Close())
}
