// Package started is what the programs under bench have in common: how they begin and
// end, and the mergevo that they measure.
package started

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"

	"github.com/spf13/pflag"
)

// Main runs a program with its arguments until it ends or a signal comes. An error is
// printed behind a name, and ends it with exit code 1; having asked for help is none.
func Main(name string, run func(ctx context.Context, args []string, out, talk io.Writer) error, signals ...os.Signal) {
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, pflag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// Build builds mergevo from this tree, into a file.
func Build(ctx context.Context, to string) error {
	out, err := exec.CommandContext(ctx, "go", "build", "-o", to, "github.com/mergevo/mergevo/cmd/mergevo").CombinedOutput()
	if err != nil {
		return fmt.Errorf("building mergevo (run this inside the repository): %w\n%s", err, out)
	}
	return nil
}
