package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/internal/xla"
)

func newXLA() *cobra.Command {
	c := &cobra.Command{
		Use:     "xla install|info",
		Short:   "Install the XLA plugin, or say what is installed",
		Long:    "Graphs run on XLA where its plugin is installed, else on a backend in Go." + exits(exitUsage),
		Example: "  mergevo xla install\n  mergevo xla info",
		Args:    subcommand,
		RunE: func(c *cobra.Command, _ []string) error {
			return usage(errors.New("want mergevo xla install or mergevo xla info"))
		},
	}
	install := &cobra.Command{
		Use:   "install",
		Short: "Install the XLA CPU plugin",
		Long: `Fetches the XLA CPU plugin, checks its sha256 and puts it into place by rename.
It is kept under ~/.local/share/mergevo/xla (or $MERGEVO_XLA_DIR) and works
offline from then on. An installed plugin is left as it is.` + exits(exitFailed),
		Example: "  mergevo xla install",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			path, err := xla.Install(c.Context(), c.ErrOrStderr(), installBar(c.ErrOrStderr()))
			if err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), path)
			return nil
		},
	}
	info := &cobra.Command{
		Use:     "info",
		Short:   "Say which plugin and device would be used",
		Long:    "Says where plugins are, and what starts." + exits(exitFailed),
		Example: "  mergevo xla info",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			out := c.OutOrStdout()
			dir, err := xla.Dir()
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "folder   %s\n", dir)
			for _, kind := range []string{"cpu", "cuda"} {
				path, err := xla.Find(kind)
				if err != nil {
					fmt.Fprintf(out, "xla:%-5s %v\n", kind, err)
					continue
				}
				b, err := xla.Open(c.Context(), "xla:"+path, c.ErrOrStderr(), nil)
				if err != nil {
					fmt.Fprintf(out, "xla:%-5s %s does not start: %v\n", kind, path, err)
					continue
				}
				fmt.Fprintf(out, "xla:%-5s %s\n         %s\n         %s\n", kind, path, b.Description(), b.Device)
			}
			fmt.Fprintln(out, "go       always there")
			return nil
		},
	}
	c.AddCommand(install, info)
	return c
}
