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

// bytesOf is what tensors take as they are stored.
func bytesOf(infos []tensors.Info) (n int64) {
	for _, t := range infos {
		n += t.Bytes()
	}
	return n
}

func newInspect() *cobra.Command {
	var digest, numbers, offline bool
	c := &cobra.Command{
		Use:   "inspect MODEL",
		Short: "List a checkpoint's tensors",
		Long: `Lists a checkpoint's tensors, types, shapes and metadata, from its headers alone; of
an adapter also its modules, with rank and scale.
With --values every number is read: NaN, Inf, the largest magnitude and the norm of
each tensor, worst first.` + exits(exitFailed, exitInterrupted),
		Example: "  mergevo inspect testdata/mnist/mlp/base.safetensors\n  mergevo inspect merged --values",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			models := headersOnly(c, offline)
			if numbers || digest {
				models = wholeModels(c, offline, false)
			}
			at, err := (&opening{hub: models}).locate(c.Context(), args[0])
			if err != nil {
				return err
			}
			ck, err := tensors.Open(at.path)
			if err != nil {
				return err
			}
			defer ck.Close()
			out := c.OutOrStdout()
			if numbers {
				progress := newBar(c.ErrOrStderr(), bytesOf(ck.Tensors()), 0, size, false)
				list, err := survey(c.Context(), ck, progress)
				progress.finish()
				if err != nil {
					return err
				}
				return writeValues(out, list)
			}
			t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
			fmt.Fprintln(t, "tensor\ttype\tshape\telements")
			elements := 0
			for _, info := range ck.Tensors() {
				fmt.Fprintf(t, "%s\t%s\t%v\t%d\n", info.Name, info.DType, info.Shape, info.Len())
				elements += info.Len()
			}
			if err := t.Flush(); err != nil {
				return err
			}
			if err := writeModules(out, at.path, ck); err != nil {
				return err
			}
			fmt.Fprintf(out, "\n%s, %s, %s in %s\n", count(len(ck.Tensors()), "tensor"), count(elements, "element"), size(bytesOf(ck.Tensors())), count(len(ck.Files()), "file"))
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
	c.Flags().BoolVar(&numbers, "values", false, "read all numbers: NaN, Inf, largest magnitude and norm by tensor, worst first")
	c.Flags().BoolVar(&digest, "digest", false, "also read all tensors and print their content digest")
	addOffline(c, &offline)
	return c
}
