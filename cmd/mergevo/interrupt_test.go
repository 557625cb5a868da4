package main

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestAbandon(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	if x, left, err := abandon(ctx, time.Hour, func() (int, error) { return 7, nil }); x != 7 || left || err != nil {
		t.Errorf("work that ends: %d, %v, %v", x, left, err)
	}
	cancel()
	if x, left, err := abandon(ctx, time.Hour, func() (int, error) { return 7, nil }); x != 7 || left || err != nil {
		t.Errorf("work that ends soon after the interruption: %d, %v, %v", x, left, err)
	}
	end := make(chan struct{})
	defer close(end)
	_, left, err := abandon(ctx, time.Millisecond, func() (int, error) { <-end; return 7, nil })
	if !left || !errors.Is(err, context.Canceled) {
		t.Errorf("work that goes on: %v, %v", left, err)
	}
}
