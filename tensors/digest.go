package tensors

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// Digest returns "sha256:<hex>" of the content: names, dtypes, shapes and
// bytes. How tensors are spread over shards, their order in the files and the
// metadata do not count. It reads every byte the first time, on all cores, and
// keeps the result; it returns early with ctx's error when ctx ends.
func (c *Checkpoint) Digest(ctx context.Context) (string, error) {
	c.digesting.Lock()
	defer c.digesting.Unlock()
	if c.digest != "" {
		return c.digest, nil
	}
	sums := make([][]byte, len(c.infos))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, t := range c.infos {
		g.Go(func() (err error) {
			sums[i], err = c.sum(ctx, t.Name)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return "", err
	}
	h := sha256.New()
	for i, t := range c.infos {
		// Quoted, so that no name can imitate another line.
		fmt.Fprintf(h, "%q %v %v %x\n", t.Name, t.DType, t.Shape, sums[i])
	}
	c.digest = "sha256:" + hex.EncodeToString(h.Sum(nil))
	return c.digest, nil
}

// sum hashes one tensor's bytes, a piece at a time so that ctx is heeded.
func (c *Checkpoint) sum(ctx context.Context, name string) ([]byte, error) {
	const piece = 4 << 20
	c.open.RLock()
	defer c.open.RUnlock()
	p, err := c.find(name)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	err = c.Guard(func() error {
		for b := p.bytes(); len(b) > 0; {
			if err := ctx.Err(); err != nil {
				return err
			}
			n := min(len(b), piece)
			h.Write(b[:n])
			b = b[n:]
		}
		return p.file.unchanged()
	})
	return h.Sum(nil), err
}
