package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// partSuffix ends the name of a blob that is not whole yet.
const partSuffix = ".incomplete"

// download brings one file into the snapshot.
func (c *Client) download(ctx context.Context, p *plan, f file, m *meter) error {
	q := c.fileRequest(p.ref, p.commit, f.Name)
	for _, path := range []string{p.lock(f.Digest), p.blob(f.Digest)} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("%s: %w; set HF_HUB_CACHE to a folder that can be written", q, err)
		}
	}
	lock := flock.New(p.lock(f.Digest), flock.SetPermissions(0o644))
	if _, err := lock.TryLockContext(ctx, 50*time.Millisecond); err != nil {
		return fmt.Errorf("%s: waiting for another download of it: %w", q, err)
	}
	defer lock.Unlock() //nolint:errcheck // the system frees it at the latest when the process ends
	if fileSize(p.blob(f.Digest)) == f.Size {
		m.add(f.Name, f.Size) // another model or another process had it
		return p.link(p.commit, f)
	}
	t := &transfer{c: c, q: q, f: f, m: m}
	if err := t.run(ctx, p.blob(f.Digest)); err != nil {
		return err
	}
	return p.link(p.commit, f)
}

// transfer is one blob on its way.
type transfer struct {
	c *Client
	q request
	f file
	m *meter

	out    *os.File
	hash   hash.Hash
	at     int64 // bytes here and hashed
	pieces int   // sources those bytes came from
}

// run fills the file beside blob and renames it.
func (t *transfer) run(ctx context.Context, blob string) (err error) {
	if t.out, err = os.OpenFile(blob+partSuffix, os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return err
	}
	defer t.out.Close()
	if err := t.begin(); err != nil {
		return err
	}
	for {
		if err := t.c.retry(ctx, func() (bool, error) { return t.piece(ctx) }); err != nil {
			return err
		}
		got := hex.EncodeToString(t.hash.Sum(nil))
		if got == t.f.Digest {
			break
		}
		// What is wrong must not be continued by the next fetch.
		joined := t.pieces > 1
		if err := t.restart(); err != nil {
			return err
		}
		if !joined {
			t.out.Close()
			os.Remove(t.out.Name()) //nolint:errcheck // it is empty
			return fmt.Errorf("%s: %w: its digest is %s and the Hub announced %s; try again, without a proxy or mirror if there is one", t.q, ErrDamaged, got, t.f.Digest)
		}
	}
	if err := errors.Join(t.out.Sync(), t.out.Close()); err != nil {
		return err
	}
	return os.Rename(t.out.Name(), blob)
}

// begin takes over what an earlier download left.
func (t *transfer) begin() error {
	if len(t.f.Digest) == 2*sha256.Size {
		t.hash = sha256.New()
	} else {
		t.hash = sha1.New()
	}
	info, err := t.out.Stat()
	if err != nil {
		return err
	}
	if info.Size() == 0 || info.Size() > t.f.Size {
		return t.restart()
	}
	t.prime()
	if t.at, err = io.Copy(t.hash, t.out); err != nil {
		return fmt.Errorf("%s: reading what an earlier download left: %w", t.q, err)
	}
	t.pieces = 1
	t.m.add(t.f.Name, t.at)
	return nil
}

// prime begins the digest. Git hashes a blob behind a line with its length.
func (t *transfer) prime() {
	t.hash.Reset()
	if len(t.f.Digest) == 2*sha1.Size {
		fmt.Fprintf(t.hash, "blob %d\x00", t.f.Size)
	}
}

// restart forgets every byte.
func (t *transfer) restart() error {
	if err := t.out.Truncate(0); err != nil {
		return err
	}
	if _, err := t.out.Seek(0, io.SeekStart); err != nil {
		return err
	}
	t.prime()
	t.m.add(t.f.Name, -t.at)
	t.at, t.pieces = 0, 0
	return nil
}

// piece fetches what one connection gives.
func (t *transfer) piece(ctx context.Context) (progress bool, err error) {
	if t.at == t.f.Size {
		return false, nil
	}
	q := t.q
	q.from = t.at
	resp, err := t.c.send(ctx, q)
	if errors.Is(err, errShort) {
		return false, errors.Join(t.restart(), err)
	}
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusPartialContent:
		if !startsAt(resp, t.at) {
			return false, fmt.Errorf("%s: asked for the bytes from %d of %d the server sends %.80q; check HF_ENDPOINT", q, t.at, t.f.Size, resp.Header.Get("Content-Range"))
		}
	case resp.StatusCode != http.StatusOK:
		return false, fmt.Errorf("%s: the server answered %s; check HF_ENDPOINT", q, statusText(resp))
	case t.at > 0: // no ranges here
		if err := t.restart(); err != nil {
			return false, err
		}
	}
	t.pieces++
	return t.copy(ctx, resp.Body)
}

// copy appends the body. What is written is hashed: the two never part.
func (t *transfer) copy(ctx context.Context, body io.Reader) (progress bool, err error) {
	buffer := make([]byte, 256<<10)
	for {
		n, err := body.Read(buffer)
		if int64(n) > t.f.Size-t.at {
			return false, errors.Join(t.restart(), fmt.Errorf("%s: %w: the server sends more than the %d bytes that the Hub announced; try again later", t.q, ErrDamaged, t.f.Size))
		}
		if n > 0 {
			if _, err := t.out.Write(buffer[:n]); err != nil {
				return false, fmt.Errorf("%s: %w", t.q, err)
			}
			t.hash.Write(buffer[:n])
			t.at += int64(n)
			t.m.add(t.f.Name, int64(n))
			progress = true
		}
		switch {
		case err == io.EOF && t.at == t.f.Size:
			return progress, nil
		case err == io.EOF:
			return progress, t.c.cut(ctx, t.q, io.ErrUnexpectedEOF)
		case err != nil:
			return progress, t.c.cut(ctx, t.q, err)
		}
	}
}
