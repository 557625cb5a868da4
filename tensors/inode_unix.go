//go:build unix

package tensors

import (
	"io/fs"
	"syscall"
)

// inode returns the file's number on its file system.
func inode(info fs.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Ino)
	}
	return 0
}
