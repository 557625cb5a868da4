package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/tensors"
)

func newInspect() *cobra.Command {
	var digest bool
	c := &cobra.Command{
		Use:     "inspect MODEL",
		Short:   "List a checkpoint's tensors",
		Long:    "Lists a checkpoint's tensors, types, shapes and metadata, from its headers alone." + exits("0 done", "1 damaged or missing"),
		Example: "  mergevo inspect testdata/mnist/mlp/base.safetensors",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ck, err := tensors.Open(args[0])
			if err != nil {
				return err
			}
			defer ck.Close()
			out := c.OutOrStdout()
			t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
			fmt.Fprintln(t, "tensor\ttype\tshape\telements")
			count, bytes := 0, int64(0)
			for _, info := range ck.Tensors() {
				fmt.Fprintf(t, "%s\t%s\t%v\t%d\n", info.Name, info.DType, info.Shape, info.Len())
				count += info.Len()
				bytes += info.Bytes()
			}
			if err := t.Flush(); err != nil {
				return err
			}
			fmt.Fprintf(out, "\n%d tensors, %d elements, %s in %d file(s)\n", len(ck.Tensors()), count, size(bytes), len(ck.Files()))
			meta := ck.Metadata()
			for _, k := range slices.Sorted(maps.Keys(meta)) {
				fmt.Fprintf(out, "%s: %s\n", k, strings.ReplaceAll(strings.TrimSpace(meta[k]), "\n", "\n  "))
			}
			if digest {
				d, err := ck.Digest(c.Context())
				if err != nil {
					return err
				}
				fmt.Fprintln(out, "digest:", d)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&digest, "digest", false, "also read all tensors and print their content digest")
	return c
}

// size writes a number of bytes in a unit that suits it.
func size(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB"}
	x, u := float64(n), 0
	for x >= 1000 && u < len(units)-1 {
		x, u = x/1000, u+1
	}
	if u == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", x, units[u])
}
