package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/internal/xla"
	"github.com/mergevo/mergevo/recipes"
)

// Exit codes, one meaning each; every command's help ends with those it uses.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitCandidates  = 3
	exitDigest      = 4
	exitInterrupted = 130
)

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

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "mergevo",
		Short: "Merge models, and evolve the recipes that merge them",
		Long: `mergevo merges safetensors checkpoints by a recipe, and evolves recipes:
a recipe with holes goes in, evolution fills the holes, a recipe without
holes comes out, and applying it writes a model.`,
		Example: `  mergevo search testdata/mnist/search.yaml
  mergevo apply runs/search-1/best.yaml --out merged`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage(fmt.Errorf("%w\nhint: %s --help", err, c.CommandPath()))
	})
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(newSearch(), newApply(), newEval(), newCheck(), newInspect(), newMethods(), newRuns(), newXLA(), newCompletion(), newVersion())
	for _, c := range root.Commands() {
		wrapArgs(c)
	}
	return root
}

// wrapArgs makes a wrong number of arguments, or a misspelt subcommand, a usage error.
func wrapArgs(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usage(fmt.Errorf("%w\nusage: %s\nhint: %s --help", err, c.UseLine(), c.CommandPath()))
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		wrapArgs(sub)
	}
}

// exits is the end of every command's help.
func exits(lines ...string) string {
	return "\n\nExit codes: " + strings.Join(lines, " · ")
}
