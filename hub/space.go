package hub

import (
	"fmt"
	"os"
	"path/filepath"
)

// SpaceError is a disk too small for what is to be fetched. Sizes are in bytes.
type SpaceError struct {
	Ref        Ref
	Cache      string
	Need, Free int64
}

func (e *SpaceError) Error() string {
	return fmt.Sprintf("%s: %.1f GB are to be fetched and %s has room for %.1f GB; make room, or set HF_HUB_CACHE to a folder on a larger disk",
		e.Ref, float64(e.Need)/1e9, e.Cache, float64(e.Free)/1e9)
}

// checkSpace refuses what the disk cannot take. What was fetched in part counts.
func (c *Client) checkSpace(r repo, files []file) error {
	var need int64
	for _, f := range files {
		if size := fileSize(r.blob(f.Digest)); size == f.Size {
			continue
		}
		need += f.Size - min(f.Size, max(0, fileSize(r.blob(f.Digest)+partSuffix)))
	}
	dir := r.cache
	for fileSize(dir) < 0 && filepath.Dir(dir) != dir {
		dir = filepath.Dir(dir)
	}
	free := c.free
	if free == nil {
		free = freeBytes
	}
	if n, ok := free(dir); ok && uint64(need) > n {
		return &SpaceError{Ref: r.ref, Cache: r.cache, Need: need, Free: int64(n)}
	}
	return nil
}

// fileSize is -1 for what is not there.
func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return -1
	}
	return info.Size()
}
