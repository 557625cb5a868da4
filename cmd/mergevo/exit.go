package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/mergevo/mergevo/internal/xla"
	"github.com/mergevo/mergevo/recipes"
)

// Exit codes, one meaning each.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitCandidates  = 3
	exitDigest      = 4
	exitInterrupted = 130
)

var exitMeanings = map[int]string{
	exitDone:        "done",
	exitFailed:      "failed",
	exitUsage:       "invalid file or flag",
	exitCandidates:  "more than half of the candidates failed (any, with --strict)",
	exitDigest:      "an input differs from its digest",
	exitInterrupted: "interrupted",
}

// exits is the end of every command's help: success, and the codes it may exit
// with besides.
func exits(codes ...int) string {
	lines := []string{fmt.Sprintf("\n\nExit codes: %d %s", exitDone, exitMeanings[exitDone])}
	for _, c := range codes {
		lines = append(lines, fmt.Sprintf("%d %s", c, exitMeanings[c]))
	}
	return strings.Join(lines, " · ")
}

// Errors that choose an exit code. Others exit with 1.
var (
	errUsage       = errors.New("usage")
	errCandidates  = errors.New("candidates failed")
	errDigest      = errors.New("input differs from its digest")
	errInterrupted = errors.New("interrupted")
)

// coded gives an error one of the sentinels above without showing it.
type coded struct {
	code error
	err  error
}

func (c coded) Error() string   { return c.err.Error() }
func (c coded) Unwrap() []error { return []error{c.code, c.err} }

func usage(err error) error { return coded{errUsage, err} }

func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return exitDone
	}
	text := err.Error()
	if errors.Is(err, context.Canceled) && !errors.Is(err, errInterrupted) {
		text = "interrupted"
	}
	if !strings.HasPrefix(text, "mergevo:") {
		text = "mergevo: " + text
	}
	fmt.Fprintln(stderr, text)
	var invalid *recipes.Error
	switch {
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.Is(err, errUsage), errors.Is(err, xla.ErrUsage), errors.As(err, &invalid):
		return exitUsage
	case errors.Is(err, errCandidates):
		return exitCandidates
	case errors.Is(err, errDigest):
		return exitDigest
	}
	return exitFailed
}
