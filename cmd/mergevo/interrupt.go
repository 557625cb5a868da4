package main

import (
	"context"
	"time"
)

// patience is how long an interrupted program waits for a device call to return.
// Calls take moments, but the first compiles, which nobody can stop.
const patience = 2 * time.Second

// abandon waits for work until the context is done and then a little longer. Work
// that goes on after that is left behind, for the process is about to end: what it
// uses must not be freed, and left reports so.
func abandon[T any](ctx context.Context, patience time.Duration, work func() (T, error)) (result T, left bool, err error) {
	type done struct {
		result T
		err    error
	}
	c := make(chan done, 1)
	go func() {
		r, err := work()
		c <- done{r, err}
	}()
	select {
	case d := <-c:
		return d.result, false, d.err
	case <-ctx.Done():
	}
	select {
	case d := <-c:
		return d.result, false, d.err
	case <-time.After(patience):
		return result, true, ctx.Err()
	}
}
