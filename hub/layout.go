package hub

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// repo is a model's folder in the cache. Names and layout are huggingface_hub's:
// refs/<revision> holds a commit, snapshots/<commit>/<file> is a link to
// blobs/<digest>. What is ours alone lies in the folder ".mergevo" beside them.
type repo struct {
	cache string
	ref   Ref
}

func (c *Client) repo(ref Ref) (repo, error) {
	if err := ref.check(); err != nil {
		return repo{}, err
	}
	if c.Cache == "" {
		return repo{}, errors.New("no folder for the model cache; set HF_HUB_CACHE")
	}
	cache, err := filepath.Abs(c.Cache)
	return repo{cache, ref}, err
}

func (r repo) folder() string { return "models--" + strings.ReplaceAll(r.ref.ID, "/", "--") }
func (r repo) dir() string    { return filepath.Join(r.cache, r.folder()) }

func (r repo) refFile(revision string) string {
	return filepath.Join(r.dir(), "refs", filepath.FromSlash(revision))
}
func (r repo) snapshot(commit string) string { return filepath.Join(r.dir(), "snapshots", commit) }
func (r repo) blob(digest string) string     { return filepath.Join(r.dir(), "blobs", digest) }
func (r repo) lock(digest string) string {
	return filepath.Join(r.cache, ".locks", r.folder(), digest+".lock")
}
func (r repo) listing(commit string) string {
	return filepath.Join(r.dir(), ".mergevo", "listing", commit+".json")
}
func (r repo) peek(commit string) string {
	return filepath.Join(r.dir(), ".mergevo", "peek", commit)
}

// pin writes refs/<revision>. Commits need none.
func (r repo) pin(commit string) error {
	if commitHash.MatchString(r.ref.revision()) {
		return nil
	}
	return r.write(r.refFile(r.ref.revision()), []byte(commit))
}

// cached returns the commit that the cache has for the reference.
func (r repo) cached() (string, bool) {
	revision := r.ref.revision()
	if commitHash.MatchString(revision) {
		for _, known := range []string{r.snapshot(revision), r.listing(revision)} {
			if _, err := os.Stat(known); err == nil {
				return revision, true
			}
		}
		return "", false
	}
	b, err := os.ReadFile(r.refFile(revision))
	commit := strings.TrimSpace(string(b))
	return commit, err == nil && commitHash.MatchString(commit)
}

// path returns where the snapshot has the file.
func (r repo) path(commit, name string) string {
	return filepath.Join(r.snapshot(commit), filepath.FromSlash(name))
}

// link makes a blob appear in a snapshot under the file's name.
func (r repo) link(commit string, f file) error {
	at := r.path(commit, f.Name)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	blob := r.blob(f.Digest)
	target, err := filepath.Rel(filepath.Dir(at), blob)
	if err != nil {
		return err
	}
	if now, err := os.Readlink(at); err == nil && now == target {
		return nil
	}
	temp, err := r.scratch()
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	link := filepath.Join(temp, "link")
	if os.Symlink(target, link) != nil {
		// Windows allows links to few; a second name for the blob does as well.
		if err := os.Link(blob, link); err != nil {
			return fmt.Errorf("%s can be neither linked to nor named twice: %w; set HF_HUB_CACHE to a folder on another disk", blob, err)
		}
	}
	return os.Rename(link, at)
}

// has reports whether the snapshot holds the file at its full size.
func (r repo) has(commit string, f file) bool {
	info, err := os.Stat(r.path(commit, f.Name))
	return err == nil && info.Mode().IsRegular() && info.Size() == f.Size
}

// write writes a small file that appears by rename.
func (r repo) write(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temp, err := r.scratch()
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := os.WriteFile(filepath.Join(temp, "new"), b, 0o644); err != nil {
		return err
	}
	return os.Rename(filepath.Join(temp, "new"), path)
}

// scratch makes an empty folder on the cache's disk, outside what others read.
func (r repo) scratch() (string, error) {
	parent := filepath.Join(r.dir(), ".mergevo")
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	return os.MkdirTemp(parent, "new-")
}
