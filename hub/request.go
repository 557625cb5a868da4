package hub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// request is one question to the Hub.
type request struct {
	ref      Ref
	file     string // within the repository; empty for the repository itself
	method   string
	address  string
	from, to int64 // bytes asked for, both included, where to > 0; from alone asks for the rest
}

// String names what is asked for. The address is left out: that of a redirect is
// signed, and says nothing to the reader.
func (q request) String() string {
	if q.file == "" {
		return q.ref.String()
	}
	return q.ref.String() + ", " + q.file
}

func (q request) ranges() string {
	switch {
	case q.to > 0:
		return fmt.Sprintf("bytes=%d-%d", q.from, q.to)
	case q.from > 0:
		return fmt.Sprintf("bytes=%d-", q.from)
	}
	return ""
}

// startsAt reports whether a partial answer begins where it should.
func startsAt(resp *http.Response, from int64) bool {
	var got, to int64
	n, _ := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-%d", &got, &to)
	return resp.StatusCode == http.StatusPartialContent && n == 2 && got == from
}

var errStalled = errors.New("no data")

// send asks once. A status over 399 is an error; the caller closes the body.
func (c *Client) send(ctx context.Context, q request) (*http.Response, error) {
	endpoint, err := c.endpoint()
	if err != nil {
		return nil, err
	}
	// net/http would refuse it too, without saying where it came from.
	if strings.ContainsFunc(c.token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, fmt.Errorf("%s: %w: the token in %s holds a character that no token has; copy it again from %s", q, ErrAccess, c.tokenFrom, c.tokensPage())
	}
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(c.stall(), func() { cancel(fmt.Errorf("%w for %v", errStalled, c.stall())) })
	stop := func() { timer.Stop(); cancel(nil) }

	r, err := http.NewRequestWithContext(ctx, q.method, q.address, nil)
	if err != nil {
		stop()
		return nil, fmt.Errorf("%s: the address is malformed; check HF_ENDPOINT", q)
	}
	r.Header.Set("User-Agent", "mergevo")
	if ranges := q.ranges(); ranges != "" {
		r.Header.Set("Range", ranges)
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := (&http.Client{Transport: transport, CheckRedirect: follow(endpoint)}).Do(r)
	timer.Stop()
	if err != nil {
		err = c.failure(ctx, q, err)
		stop()
		return nil, err
	}
	resp.Body = &guarded{ReadCloser: resp.Body, ctx: ctx, timer: timer, stall: c.stall(), stop: stop}
	if resp.StatusCode >= 400 {
		defer resp.Body.Close()
		return nil, c.refusal(q, resp)
	}
	return resp, nil
}

// follow keeps the token from every host but the endpoint. net/http would still
// give it to other ports and to subdomains.
func follow(endpoint *url.URL) func(*http.Request, []*http.Request) error {
	return func(r *http.Request, via []*http.Request) error {
		switch {
		case len(via) >= 10:
			return errors.New("redirected 10 times")
		case r.Method == http.MethodHead && r.Response.Header.Get("X-Linked-Etag") != "":
			return http.ErrUseLastResponse // it has said what was asked
		case endpoint.Scheme == "https" && r.URL.Scheme != "https":
			return fmt.Errorf("redirected from https to %s", r.URL.Scheme)
		case r.URL.Scheme != endpoint.Scheme || r.URL.Host != endpoint.Host:
			r.Header.Del("Authorization")
			r.Header.Del("Referer")
		}
		return nil
	}
}

// failure explains an error of the connection.
func (c *Client) failure(ctx context.Context, q request, err error) error {
	var address *url.Error
	if errors.As(err, &address) {
		err = address.Err
	}
	cause := context.Cause(ctx)
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(cause, errStalled):
		return &transientError{err: fmt.Errorf("%s: %w; check the network", q, cause)}
	case cause != nil:
		return fmt.Errorf("%s: %w", q, cause)
	case errors.As(err, &name) && name.IsNotFound:
		return fmt.Errorf("%s: no host %s; check the network and HF_ENDPOINT, or use --offline for models in the cache", q, name.Name)
	case errors.As(err, &certificate), strings.HasPrefix(err.Error(), "redirected "):
		return fmt.Errorf("%s: %w", q, err)
	}
	return &transientError{err: fmt.Errorf("%s: %w", q, err)}
}

// guarded is a body that gives up when a read brings nothing for too long. The
// clock runs during reads alone: a slow disk is no fault of the network.
type guarded struct {
	io.ReadCloser
	ctx   context.Context
	timer *time.Timer
	stall time.Duration
	stop  func()
}

func (g *guarded) Read(p []byte) (int, error) {
	g.timer.Reset(g.stall)
	n, err := g.ReadCloser.Read(p)
	g.timer.Stop()
	if err != nil && err != io.EOF {
		if cause := context.Cause(g.ctx); cause != nil {
			err = cause
		}
	}
	return n, err
}

func (g *guarded) Close() error {
	g.stop()
	return g.ReadCloser.Close()
}
