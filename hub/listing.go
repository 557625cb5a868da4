package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// maxAnswer bounds what is read of the Hub's answers, in bytes; the longest lists
// of files take some hundred kilobytes.
const maxAnswer = 32 << 20

// listing is what a model holds at a commit.
type listing struct {
	Commit string
	Files  []file
}

// file is one file of a model. Digest is in hexadecimal: the SHA-256 of what git
// keeps elsewhere (LFS), else git's own SHA-1 of a blob. It also names the blob in
// the cache. It is empty, and Size -1, where the server does not tell.
type file struct {
	Name   string
	Size   int64
	Digest string
}

var digest = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

func (l *listing) find(name string) (file, bool) {
	for _, f := range l.Files {
		if f.Name == name {
			return f, true
		}
	}
	return file{}, false
}

// ask gets the listing of a revision from the Hub.
func (c *Client) ask(ctx context.Context, ref Ref) (*listing, error) {
	address := fmt.Sprintf("%s/api/models/%s/revision/%s?blobs=true", c.address(), ref.ID, url.PathEscape(ref.revision()))
	b, err := c.read(ctx, request{ref: ref, method: http.MethodGet, address: address}, maxAnswer)
	if err != nil {
		return nil, err
	}
	return parseAnswer(ref, b)
}

func parseAnswer(ref Ref, b []byte) (*listing, error) {
	var answer struct {
		SHA      string
		Siblings []struct {
			Name string `json:"rfilename"`
			Size *int64
			Blob string `json:"blobId"`
			LFS  *struct {
				SHA256 string
				Size   *int64
			}
		}
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return nil, fmt.Errorf("%s: the server's answer is not the Hub's JSON: %w; check HF_ENDPOINT", ref, err)
	}
	if !commitHash.MatchString(answer.SHA) {
		return nil, fmt.Errorf("%s: the server names no commit (%.50q); check HF_ENDPOINT", ref, answer.SHA)
	}
	l := &listing{Commit: answer.SHA}
	for _, s := range answer.Siblings {
		f := file{Name: s.Name, Size: -1, Digest: strings.ToLower(s.Blob)}
		if s.Size != nil {
			f.Size = *s.Size
		}
		if s.LFS != nil {
			// The blob's own digest is that of the pointer.
			f.Digest = strings.ToLower(s.LFS.SHA256)
			if s.LFS.Size != nil {
				f.Size = *s.LFS.Size
			}
		}
		if err := f.check(ref); err != nil {
			return nil, err
		}
		l.Files = append(l.Files, f)
	}
	return l, nil
}

// check refuses what could be written outside the cache.
func (f file) check(ref Ref) error {
	if !filepath.IsLocal(filepath.FromSlash(f.Name)) || strings.ContainsAny(f.Name, "\\\x00\n\r") {
		return fmt.Errorf("%s: the model lists a file %q, which would leave its folder; nothing is fetched", ref, f.Name)
	}
	if f.Digest != "" && !digest.MatchString(f.Digest) || f.Size < -1 {
		return fmt.Errorf("%s, %s: the server gives the digest %.80q and %d bytes, which no file can have; check HF_ENDPOINT", ref, f.Name, f.Digest, f.Size)
	}
	return nil
}

// describe asks for what a listing leaves out, as mirrors do.
func (c *Client) describe(ctx context.Context, ref Ref, commit string, f file) (file, error) {
	if f.Digest != "" && f.Size >= 0 {
		return f, nil
	}
	q := c.fileRequest(ref, commit, f.Name)
	q.method = http.MethodHead
	err := c.retry(ctx, func() (bool, error) {
		resp, err := c.send(ctx, q)
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		f.Digest, f.Size = strings.ToLower(etag(resp.Header)), resp.ContentLength
		if n, err := strconv.ParseInt(resp.Header.Get("X-Linked-Size"), 10, 64); err == nil {
			f.Size = n
		}
		return false, nil
	})
	if err != nil {
		return f, err
	}
	if f.Digest == "" || f.Size < 0 {
		return f, fmt.Errorf("%s: the server tells no digest or no size, so the file cannot be checked; use another HF_ENDPOINT", q)
	}
	return f, f.check(ref)
}

// etag returns the file's digest, which for a file kept elsewhere has its own header.
func etag(h http.Header) string {
	s := h.Get("X-Linked-Etag")
	if s == "" {
		s = h.Get("ETag")
	}
	return strings.Trim(strings.TrimPrefix(s, "W/"), `"`)
}

func (c *Client) fileRequest(ref Ref, commit, name string) request {
	parts := strings.Split(name, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	address := fmt.Sprintf("%s/%s/resolve/%s/%s", c.address(), ref.ID, commit, strings.Join(parts, "/"))
	return request{ref: ref, file: name, method: http.MethodGet, address: address}
}

// read returns a whole answer of at most limit bytes.
func (c *Client) read(ctx context.Context, q request, limit int64) (b []byte, err error) {
	err = c.retry(ctx, func() (bool, error) {
		resp, err := c.send(ctx, q)
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		b, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
		if err != nil {
			return false, c.cut(ctx, q, err)
		}
		if int64(len(b)) > limit {
			return false, fmt.Errorf("%s: the server's answer is over %d bytes; check HF_ENDPOINT", q, limit)
		}
		return false, nil
	})
	return b, err
}

// cut says that a body ended early. Only the caller's own end is final.
func (c *Client) cut(ctx context.Context, q request, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("%s: %w", q, cause)
	}
	return &transientError{err: fmt.Errorf("%s: the connection broke: %w", q, err)}
}

// keptListing returns the listing that an earlier Fetch or Peek kept.
func (r repo) keptListing(commit string) (*listing, bool) {
	b, err := os.ReadFile(r.listing(commit))
	if err != nil {
		return nil, false
	}
	var l listing
	if json.Unmarshal(b, &l) != nil || l.Commit != commit {
		return nil, false
	}
	for _, f := range l.Files {
		if f.check(r.ref) != nil || f.Digest == "" || f.Size < 0 {
			return nil, false
		}
	}
	return &l, true
}
