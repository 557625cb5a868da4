package main

import (
	"io"
	"os"
	"strings"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/mergevo/mergevo/internal/xla"
)

// addBackend adds the --backend flag.
func addBackend(c *cobra.Command, name *string) {
	c.Flags().StringVar(name, "backend", "auto", "where graphs run: "+strings.Join(xla.Names(), ", "))
	complete(c, "backend", "auto", "xla:cpu", "xla:cuda", "go")
}

// openBackend opens a backend; installing the plugin on first use shows a bar.
func openBackend(c *cobra.Command, name string) (*xla.Backend, error) {
	return xla.Open(c.Context(), name, c.ErrOrStderr(), installBar(c.ErrOrStderr()))
}

// installBar draws downloads on a terminal, and nothing elsewhere.
func installBar(w io.Writer) xla.Bar {
	if !isTerminal(w) {
		return nil
	}
	return func(title string, total int64) io.WriteCloser {
		return progressbar.NewOptions64(total,
			progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(title),
			progressbar.OptionShowBytes(true), progressbar.OptionClearOnFinish(),
			progressbar.OptionEnableColorCodes(false))
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
