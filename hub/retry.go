package hub

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

const (
	// attempts is how often something is tried that makes no progress.
	attempts = 5
	// longestPause is the longest wait before a retry, and the most a server is
	// granted that asks for one: the Hub counts requests in windows of five minutes.
	longestPause = 5 * time.Minute
)

// transientError is a failure that may pass.
type transientError struct {
	err   error
	after time.Duration // the server's wish, if positive
}

func (e *transientError) Error() string { return e.err.Error() }
func (e *transientError) Unwrap() error { return e.err }

// retry calls attempt until it succeeds or fails for good. Waits double; progress
// starts the count anew.
func (c *Client) retry(ctx context.Context, attempt func() (progress bool, err error)) error {
	pause := c.pause
	if pause == 0 {
		pause = time.Second
	}
	wait, limit := pause, attempts
	if c.once {
		limit = 1
	}
	for failures := 0; ; {
		progress, err := attempt()
		var passing *transientError
		if !errors.As(err, &passing) {
			return err
		}
		if progress {
			failures, wait = 0, pause
		}
		if failures++; failures == limit {
			return fmt.Errorf("%w (tried %d times)", err, limit)
		}
		// Scattered, so that many processes do not come back at once.
		this := wait/2 + rand.N(wait/2+1)
		if passing.after > 0 {
			this = passing.after
		}
		if this > longestPause {
			return fmt.Errorf("%w; the server asks to wait %v", err, this)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(this):
		}
		wait = min(2*wait, longestPause)
	}
}

// retryAfter reads the header of that name: seconds or a date.
func retryAfter(h http.Header) time.Duration {
	s := h.Get("Retry-After")
	if n, err := strconv.Atoi(s); err == nil && n >= 0 && n < 1<<30 {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(s); err == nil {
		return max(0, time.Until(t))
	}
	return 0
}
