// Package xlatest gives tests the backends that are on this machine.
package xlatest

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/mergevo/mergevo/internal/xla"
)

// Backends returns the Go backend, and XLA on the CPU where its plugin is
// installed. It never installs one: tests need no network.
func Backends(t testing.TB) []*xla.Backend {
	t.Helper()
	out := []*xla.Backend{open(t, "go")}
	if _, err := xla.Find("cpu"); errors.Is(err, xla.ErrNotInstalled) {
		t.Logf("on the Go backend alone: %v", err)
		return out
	}
	return append(out, open(t, "xla:cpu"))
}

// Fastest returns XLA on the CPU where it is installed, else the Go backend.
func Fastest(t testing.TB) *xla.Backend {
	all := Backends(t)
	return all[len(all)-1]
}

func open(t testing.TB, name string) *xla.Backend {
	t.Helper()
	var talk bytes.Buffer
	b, err := xla.Open(context.Background(), name, &talk, nil)
	if err != nil {
		t.Fatalf("backend %s: %v", name, err)
	}
	return b
}
