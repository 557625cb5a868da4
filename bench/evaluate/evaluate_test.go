package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// The benchmark runs on the smallest input, without a peer.
func TestRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("it scores encoders of 22 million parameters")
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"--rounds", "1", "--texts", "2"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "the merge is ") {
		t.Errorf("printed %s", out.String())
	}
}
