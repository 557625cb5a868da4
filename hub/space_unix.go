//go:build linux || darwin || freebsd

package hub

import "golang.org/x/sys/unix"

// freeBytes returns the bytes an ordinary user may still write under dir.
func freeBytes(dir string) (uint64, bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, false
	}
	return uint64(s.Bavail) * uint64(s.Bsize), true
}
