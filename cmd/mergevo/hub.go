package main

import (
	"context"

	"github.com/spf13/cobra"
)

func (how *opening) fetch(ctx context.Context, ref string) (path, commit string, ok bool, err error) {
	return "", "", false, nil
}

// addOffline adds the --offline flag.
func addOffline(c *cobra.Command, offline *bool) {
	c.Flags().BoolVar(offline, "offline", false, "take models from the cache alone; nothing is fetched")
}
