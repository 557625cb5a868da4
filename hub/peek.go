package hub

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/mergevo/mergevo/tensors"
)

const (
	// prefix is the length of the number before a safetensors header, in bytes.
	prefix = 8
	// maxHeader is the format's own limit on the JSON header, in bytes.
	maxHeader = 100_000_000
)

// Peek brings a model's configs and the headers of its weights, and returns a folder
// that [tensors.Open] opens: names, dtypes and shapes are the model's, the numbers
// are all zero, and the files take next to no room. If the cache has the weights,
// the folder is that of the real snapshot, as Fetch returns it.
//
// A server without ranges is read up to the end of each header and hung up on.
// Errors are those of [Client.Fetch].
func (c *Client) Peek(ctx context.Context, ref Ref) (dir, commit string, err error) {
	p, err := c.prepare(ctx, ref)
	if err != nil {
		return "", "", err
	}
	if p.done {
		return p.snapshot(p.commit), p.commit, nil
	}
	weights, err := c.fetchSmall(ctx, p, &meter{})
	if err != nil {
		return "", "", err
	}
	lacking, err := c.missing(ctx, p, weights)
	switch {
	case err == nil && len(lacking) == 0:
		p.keep()
		return p.snapshot(p.commit), p.commit, nil
	case err != nil && !errors.Is(err, ErrOffline):
		return "", "", err
	}
	dir = p.peek(p.commit)
	if p.peeked(weights) {
		return dir, p.commit, nil
	}
	if err != nil {
		return "", "", err
	}
	if err := c.layOut(ctx, p, weights); err != nil {
		return "", "", err
	}
	p.keep()
	return dir, p.commit, nil
}

// peeked reports whether an earlier peek is whole.
func (p *plan) peeked(weights []file) bool {
	for _, f := range append(p.smallFiles(), weights...) {
		if size := fileSize(filepath.Join(p.peek(p.commit), filepath.FromSlash(f.Name))); size < 0 || f.Size >= 0 && size != f.Size {
			return false
		}
	}
	return true
}

// layOut makes the folder of a peek beside its place and renames it.
func (c *Client) layOut(ctx context.Context, p *plan, weights []file) error {
	temp, err := p.scratch()
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	whole := p.smallFiles()
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(together)
	for _, f := range weights {
		f, _ := p.find(f.Name) // with the size that missing may have learnt
		if p.has(p.commit, f) {
			whole = append(whole, f)
			continue
		}
		g.Go(func() error { return c.header(gctx, p, f, filepath.Join(temp, f.Name)) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, f := range whole {
		if err := p.share(f, filepath.Join(temp, filepath.FromSlash(f.Name))); err != nil {
			return err
		}
	}
	if err := os.Chmod(temp, 0o755); err != nil {
		return err
	}
	dir := p.peek(p.commit)
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	err = os.Rename(temp, dir)
	if err == nil || p.peeked(weights) {
		return nil // if not ours, then another's that was quicker
	}
	// What is there is of an older peek that lost files.
	return errors.Join(os.RemoveAll(dir), os.Rename(temp, dir))
}

// share gives a file of the snapshot a second name, or copies it where that is
// not possible. A link would lead nowhere once the folder has its own name.
func (p *plan) share(f file, to string) error {
	from, err := filepath.EvalSymlinks(p.path(p.commit, f.Name))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if os.Link(from, to) == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// header writes the file's first bytes and its length, and checks that the two fit.
func (c *Client) header(ctx context.Context, p *plan, f file, to string) error {
	q := c.fileRequest(p.ref, p.commit, f.Name)
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("%s: %w: %s; the model's author must mend it", q, ErrFormat, fmt.Sprintf(format, args...))
	}
	if f.Size < prefix+2 {
		return refuse("%d bytes are too short for a safetensors file", f.Size)
	}
	first, err := c.bytes(ctx, q, 0, prefix)
	if err != nil {
		return err
	}
	n := binary.LittleEndian.Uint64(first)
	if n < 2 || n > maxHeader || n > uint64(f.Size-prefix) {
		return refuse("no safetensors file begins with a header of %d bytes in a file of %d", n, f.Size)
	}
	rest, err := c.bytes(ctx, q, prefix, int64(n))
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = out.Write(append(first, rest...))
	if err := errors.Join(err, out.Truncate(f.Size), out.Close()); err != nil {
		return fmt.Errorf("%s: %w", q, err)
	}
	checkpoint, err := tensors.Open(to)
	var malformed *tensors.FormatError
	if errors.As(err, &malformed) {
		err = refuse("%v", malformed.Err) // the path is one that will not last
	}
	if err != nil {
		return err
	}
	return checkpoint.Close()
}

// bytes returns n bytes of a file from an offset.
func (c *Client) bytes(ctx context.Context, q request, from, n int64) (b []byte, err error) {
	q.from, q.to = from, from+n-1
	err = c.retry(ctx, func() (bool, error) {
		resp, err := c.send(ctx, q)
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			// No ranges here: what comes before is read too, what follows is not.
			if _, err := io.CopyN(io.Discard, resp.Body, from); err != nil {
				return false, c.cut(ctx, q, err)
			}
		} else if !startsAt(resp, from) {
			return false, fmt.Errorf("%s: asked for the bytes from %d the server sends %.80q; check HF_ENDPOINT", q, from, resp.Header.Get("Content-Range"))
		}
		b = make([]byte, n)
		if _, err := io.ReadFull(resp.Body, b); err != nil {
			return false, c.cut(ctx, q, err)
		}
		return false, nil
	})
	return b, err
}
