package hub

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

var (
	// ErrNotFound is wrapped where the Hub knows no such model, revision or file.
	ErrNotFound = errors.New("not found on the Hub")
	// ErrAccess is wrapped where the Hub wants a token, another token, or its
	// terms accepted. A misspelt id looks the same to whoever has no token.
	ErrAccess = errors.New("no access on the Hub")
	// ErrOffline is wrapped where something is not in the cache and may not be fetched.
	ErrOffline = errors.New("not in the cache, and offline")
	// ErrFormat is wrapped where a model has no safetensors, or several that no
	// index joins.
	ErrFormat = errors.New("no usable safetensors")
	// ErrDamaged is wrapped where what came is not what the Hub announced.
	ErrDamaged = errors.New("damaged in transit")
)

// refusal explains an answer over 399. The Hub names its reason in X-Error-Code.
func (c *Client) refusal(q request, resp *http.Response) error {
	code := resp.Header.Get("X-Error-Code")
	page := c.page(q.ref)
	if e, err := c.endpoint(); err == nil && resp.Request.URL.Host != e.Host && resp.StatusCode < 500 &&
		resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusRequestedRangeNotSatisfiable {
		// The Hub let it pass and sent it on; a signed address that ran out is the usual reason.
		return &transientError{err: fmt.Errorf("%s: the host %s, to which the Hub points, answered %s; try again later", q, resp.Request.URL.Host, statusText(resp))}
	}
	switch status := resp.StatusCode; {
	case code == "GatedRepo" && c.token == "":
		return fmt.Errorf("%s: %w: it is gated; accept its terms at %s, then set HF_TOKEN to a token from %s", q, ErrAccess, page, c.tokensPage())
	case code == "GatedRepo":
		return fmt.Errorf("%s: %w: it is gated; accept its terms at %s with the account of %s", q, ErrAccess, page, c.tokenFrom)
	case code == "RevisionNotFound":
		return fmt.Errorf("%s: %w: the model has no revision %q; see %s for those it has", q, ErrNotFound, q.ref.revision(), page+"/tree/main")
	case code == "EntryNotFound":
		return fmt.Errorf("%s: %w: the revision has no such file", q, ErrNotFound)
	case status == http.StatusUnauthorized && c.token == "", code == "RepoNotFound" && c.token == "":
		return fmt.Errorf("%s: %w: there is no such model, or it is private; check the spelling at %s, or set HF_TOKEN to a token from %s", q, ErrAccess, page, c.tokensPage())
	case status == http.StatusUnauthorized && code != "RepoNotFound":
		return fmt.Errorf("%s: %w: the token in %s was refused; make a new one at %s, or remove it if the model is public", q, ErrAccess, c.tokenFrom, c.tokensPage())
	case status == http.StatusForbidden:
		return fmt.Errorf("%s: %w: the token in %s may not read it; accept its terms at %s, and give the token the right to read gated models", q, ErrAccess, orNone(c.tokenFrom), page)
	case status == http.StatusNotFound, code == "RepoNotFound":
		return fmt.Errorf("%s: %w: no such model for the token in %s; check the spelling at %s", q, ErrNotFound, orNone(c.tokenFrom), page)
	case status == http.StatusTooManyRequests:
		err := fmt.Errorf("%s: too many requests; wait some minutes%s", q, map[bool]string{true: ", or set HF_TOKEN, which raises the limit"}[c.token == ""])
		return &transientError{err: err, after: retryAfter(resp.Header)}
	case status == http.StatusRequestTimeout, status >= 500 && status != http.StatusNotImplemented:
		return &transientError{err: fmt.Errorf("%s: the server answered %s; try again later", q, statusText(resp)), after: retryAfter(resp.Header)}
	case status == http.StatusRequestedRangeNotSatisfiable:
		return fmt.Errorf("%s: %w", q, errShort)
	}
	return fmt.Errorf("%s: the server answered %s", q, statusText(resp))
}

// errShort is the answer to a request for bytes behind the file's end.
var errShort = fmt.Errorf("%w: the server has fewer bytes than the Hub announced; try again later", ErrDamaged)

func statusText(resp *http.Response) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode)))
}

func orNone(from string) string {
	if from == "" {
		return "HF_TOKEN (none is set)"
	}
	return from
}

func (c *Client) address() string {
	if c.Endpoint == "" {
		return defaultEndpoint
	}
	return strings.TrimRight(c.Endpoint, "/")
}

func (c *Client) page(ref Ref) string { return c.address() + "/" + ref.ID }
func (c *Client) tokensPage() string  { return c.address() + "/settings/tokens" }

// offline says that something is not in the cache and why it is not fetched.
func (c *Client) offline(ref Ref, what string) error {
	why, undo := c.offlineBy, "unset it"
	if why == "" {
		why, undo = "--offline is given", "leave it out"
	}
	return fmt.Errorf("%s: %w: %s in %s and %s; %s to fetch it", ref, ErrOffline, what, c.Cache, why, undo)
}
