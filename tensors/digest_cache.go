package tensors

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// DigestCache keeps content digests between runs, so that a model is hashed once
// as long as nothing touches its files. The zero value keeps nothing.
type DigestCache struct {
	// Dir is the folder of the entries, made when needed.
	Dir string
}

// UserDigestCache is the cache in the user's cache folder; it keeps nothing where
// there is none.
func UserDigestCache() DigestCache {
	dir, err := os.UserCacheDir()
	if err != nil {
		return DigestCache{}
	}
	return DigestCache{filepath.Join(dir, "mergevo", "digests")}
}

// digestEntry is a digest and the state of the files that it was taken in.
type digestEntry struct {
	Files  []fileState `json:"files"`
	Digest string      `json:"digest"`
}

// fileState changes when a file's content does, as far as the file system tells.
type fileState struct {
	Path  string    `json:"path"`
	Size  int64     `json:"size"`
	Time  time.Time `json:"mtime"`
	Inode uint64    `json:"inode"`
}

// settled is how long ago a file must have been changed for its time to tell it
// from a later change: some file systems count in seconds.
const settled = 2 * time.Second

// Digest is [Checkpoint.Digest], from the cache where the files have the path, size,
// time of change and inode that they had when it was taken. A cache that cannot be
// read or written is no error: the digest is then computed.
func (d DigestCache) Digest(ctx context.Context, c *Checkpoint) (string, error) {
	before, err := c.states()
	if err != nil || d.Dir == "" {
		return c.Digest(ctx)
	}
	entry := d.entry(before)
	want, err := json.Marshal(before)
	if err != nil {
		return "", err
	}
	var e digestEntry
	if data, err := os.ReadFile(entry); err == nil && json.Unmarshal(data, &e) == nil {
		if have, err := json.Marshal(e.Files); err == nil && bytes.Equal(have, want) {
			return e.Digest, nil
		}
	}
	digest, err := c.Digest(ctx)
	if err != nil {
		return "", err
	}
	if after, err := c.states(); err == nil && stable(before, after) {
		d.keep(entry, digestEntry{after, digest})
	}
	return digest, nil
}

// State tells the checkpoint's files from others and from themselves after a change,
// as far as the file system does, without reading them.
func (c *Checkpoint) State() (string, error) {
	files, err := c.states()
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(files)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// entry is the file of the digest of some files.
func (d DigestCache) entry(files []fileState) string {
	h := sha256.New()
	for _, f := range files {
		fmt.Fprintf(h, "%q\n", f.Path)
	}
	return filepath.Join(d.Dir, hex.EncodeToString(h.Sum(nil)[:16])+".json")
}

// keep writes an entry whole, or not at all.
func (d DigestCache) keep(entry string, e digestEntry) {
	data, err := json.Marshal(e)
	if err != nil || os.MkdirAll(d.Dir, 0o755) != nil {
		return
	}
	f, err := os.CreateTemp(d.Dir, "new-*")
	if err != nil {
		return
	}
	_, err = f.Write(data)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil || os.Rename(f.Name(), entry) != nil {
		_ = os.Remove(f.Name())
	}
}

// states asks for the present state of the checkpoint's files.
func (c *Checkpoint) states() ([]fileState, error) {
	var out []fileState
	for _, path := range c.Files() {
		abs, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		out = append(out, fileState{abs, info.Size(), info.ModTime().UTC(), inode(info)})
	}
	return out, nil
}

// stable reports that files were not changed between two looks, nor so shortly
// before that a change since could go unseen.
func stable(before, after []fileState) bool {
	for i, f := range after {
		b := before[i]
		if f.Size != b.Size || !f.Time.Equal(b.Time) || f.Inode != b.Inode || time.Since(f.Time) < settled {
			return false
		}
	}
	return true
}
