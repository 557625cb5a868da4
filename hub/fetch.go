package hub

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sync/errgroup"
)

// together is how many files are fetched at once.
const together = 4

// Progress is told of bytes that came, one call at a time: the file they belong
// to, and how many bytes of how many are here. The total counts what the cache
// lacks; it grows once, when the configs have come and tell which weights belong.
// What an earlier download left counts as here. A nil Progress is told nothing.
type Progress func(file string, done, total int64)

// Fetch brings a model into the cache and returns its folder there and its commit.
// What the cache has is not fetched again, and if it has everything the Hub is not
// asked. After a failure or a kill the next Fetch continues.
//
// Errors wrap [ErrNotFound], [ErrAccess], [ErrOffline], [ErrFormat], [ErrDamaged] or
// the end of ctx, or are a [*RefError] or a [*SpaceError].
func (c *Client) Fetch(ctx context.Context, ref Ref, progress Progress) (dir, commit string, err error) {
	p, err := c.prepare(ctx, ref)
	if err != nil {
		return "", "", err
	}
	dir = p.snapshot(p.commit)
	if p.done {
		return dir, p.commit, nil
	}
	m := &meter{report: progress}
	weights, err := c.fetchSmall(ctx, p, m)
	if err != nil {
		return "", "", err
	}
	lacking, err := c.missing(ctx, p, weights)
	if err != nil {
		return "", "", err
	}
	if err := c.fetchFiles(ctx, p, lacking, m); err != nil {
		return "", "", err
	}
	p.keep()
	return dir, p.commit, nil
}

// fetchSmall brings everything but the weights, and returns which weights belong.
func (c *Client) fetchSmall(ctx context.Context, p *plan, m *meter) ([]file, error) {
	// A model without usable weights is refused before anything is written.
	index := func() ([]byte, error) {
		f, _ := p.find(indexName)
		lacking, err := c.missing(ctx, p, []file{f})
		if err == nil {
			err = c.fetchFiles(ctx, p, lacking, m)
		}
		if err != nil {
			return nil, err
		}
		return os.ReadFile(p.path(p.commit, indexName))
	}
	weights, err := p.weights(p.ref, index)
	if err != nil {
		return nil, err
	}
	lacking, err := c.missing(ctx, p, p.smallFiles())
	if err != nil {
		return nil, err
	}
	if err := c.fetchFiles(ctx, p, lacking, m); err != nil {
		return nil, err
	}
	// From here on a second try means the same commit, though the branch move.
	if err := os.MkdirAll(p.snapshot(p.commit), 0o755); err != nil {
		return nil, err
	}
	if commit, ok := p.cached(); !ok || commit != p.commit {
		if err := p.pin(p.commit); err != nil {
			return nil, err
		}
	}
	return weights, nil
}

// fetchFiles brings files that the snapshot lacks.
func (c *Client) fetchFiles(ctx context.Context, p *plan, files []file, m *meter) error {
	if len(files) == 0 {
		return nil
	}
	if err := c.checkSpace(p.repo, files); err != nil {
		return err
	}
	for _, f := range files {
		m.expect(f.Size)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(together)
	for _, f := range files {
		g.Go(func() error { return c.download(ctx, p, f, m) })
	}
	return g.Wait()
}

// keep remembers the listing of a snapshot. What is not ours to fetch is left out.
// In a cache that cannot be written nothing is kept, and the Hub is asked again.
func (p *plan) keep() {
	l := listing{Commit: p.commit}
	for _, f := range p.Files {
		if f.Digest != "" && f.Size >= 0 && (small(f.Name) || filepath.Ext(f.Name) == ".safetensors") {
			l.Files = append(l.Files, f)
		}
	}
	b, err := json.Marshal(l)
	if err != nil {
		return
	}
	if now, err := os.ReadFile(p.repo.listing(p.commit)); err != nil || string(now) != string(b) {
		_ = p.write(p.repo.listing(p.commit), b)
	}
}

// meter adds up progress.
type meter struct {
	mu          sync.Mutex
	report      Progress
	done, total int64
}

func (m *meter) expect(n int64) {
	m.mu.Lock()
	m.total += n
	m.mu.Unlock()
}

func (m *meter) add(file string, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done += n
	if m.report != nil && n != 0 {
		m.report(file, m.done, m.total)
	}
}
