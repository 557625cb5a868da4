package hub

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/mergevo/mergevo/tensors"
)

// Resolve returns the commit that a reference means: the one in the cache if the
// cache knows the revision, so that a branch stays where it was when it was first
// used, else the one on the Hub. Nothing is written.
//
// Errors wrap [ErrNotFound], [ErrAccess] or [ErrOffline], or are a [*RefError].
func (c *Client) Resolve(ctx context.Context, ref Ref) (commit string, err error) {
	r, err := c.repo(ref)
	if err != nil {
		return "", err
	}
	commit, _, err = c.resolve(ctx, r)
	return commit, err
}

// resolve also returns the listing if the Hub had to be asked.
func (c *Client) resolve(ctx context.Context, r repo) (string, *listing, error) {
	if commit, ok := r.cached(); ok {
		return commit, nil, nil
	}
	if c.Offline {
		return "", nil, c.offline(r.ref, "revision "+r.ref.revision()+" is not")
	}
	l, err := c.ask(ctx, r.ref)
	if err != nil {
		return "", nil, err
	}
	if want := r.ref.revision(); commitHash.MatchString(want) && l.Commit != want {
		return "", nil, fmt.Errorf("%s: the server answers for commit %s; check HF_ENDPOINT", r.ref, l.Commit)
	}
	return l.Commit, l, nil
}

// plan is what stands between a reference and its files.
type plan struct {
	repo
	commit string
	*listing
	done bool // the snapshot is complete and nothing need be asked
}

// prepare resolves the reference and finds out what its commit holds. Without an
// answer from the Hub, a snapshot that can be loaded is good enough.
func (c *Client) prepare(ctx context.Context, ref Ref) (*plan, error) {
	r, err := c.repo(ref)
	if err != nil {
		return nil, err
	}
	p := &plan{repo: r}
	if p.commit, p.listing, err = c.resolve(ctx, r); err != nil {
		return nil, err
	}
	if kept, ok := r.keptListing(p.commit); ok {
		p.listing = kept
	}
	if p.listing != nil {
		return p, nil
	}
	usable := r.usable(p.commit)
	if c.Offline {
		if p.done = usable == nil; p.done {
			return p, nil
		}
		return nil, c.offline(ref, fmt.Sprintf("the snapshot %s is not complete (%v)", p.commit, usable))
	}
	asking := *c
	asking.once = usable == nil
	if p.listing, err = asking.ask(ctx, Ref{ID: ref.ID, Revision: p.commit}); err == nil {
		if p.Commit != p.commit {
			return nil, fmt.Errorf("%s: asked for commit %s the server answers for %s; check HF_ENDPOINT", ref, p.commit, p.Commit)
		}
		return p, nil
	}
	if p.done = usable == nil && ctx.Err() == nil; p.done {
		return p, nil
	}
	return nil, err
}

// usable returns nil if a model can be loaded from the snapshot, whoever made it.
func (r repo) usable(commit string) error {
	dir := r.snapshot(commit)
	c, err := tensors.Open(dir)
	if err != nil {
		return err
	}
	if err := c.Close(); err != nil {
		return err
	}
	if _, err := os.Stat(r.path(commit, "config.json")); err == nil {
		return nil
	}
	if _, err := os.Stat(r.path(commit, "adapter_config.json")); err == nil {
		return nil
	}
	return errors.New("config.json is missing")
}

// missing returns those of the files that the snapshot lacks, described in full.
func (c *Client) missing(ctx context.Context, p *plan, files []file) ([]file, error) {
	var lacking []file
	for _, f := range files {
		if (f.Digest == "" || f.Size < 0) && !c.Offline {
			var err error
			if f, err = c.describe(ctx, p.ref, p.commit, f); err != nil {
				return nil, err
			}
			for i := range p.Files {
				if p.Files[i].Name == f.Name {
					p.Files[i] = f
				}
			}
		}
		if !p.has(p.commit, f) {
			lacking = append(lacking, f)
		}
	}
	if len(lacking) > 0 && c.Offline {
		var names []string
		for _, f := range lacking {
			names = append(names, f.Name)
		}
		what := strings.Join(names[:min(len(names), 3)], ", ")
		if len(names) > 3 {
			what += fmt.Sprintf(" and %d more", len(names)-3)
		}
		return nil, c.offline(p.ref, what+map[bool]string{true: " is not", false: " are not"}[len(names) == 1])
	}
	return lacking, nil
}
