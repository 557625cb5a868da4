package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tensors/view"
)

// writeModules lists an adapter's modules, and nothing of another checkpoint.
func writeModules(out io.Writer, path string, ck *tensors.Checkpoint) error {
	if !view.AreAdapter(ck.Tensors()) {
		return nil
	}
	a, err := view.OpenAdapter(path)
	if err != nil {
		// What is in the file was listed; that it cannot be merged is no failure here.
		fmt.Fprintf(out, "\nan adapter that is not merged: %v\n", err)
		return nil
	}
	defer a.Close()
	fmt.Fprintf(out, "\nan adapter, named as by %s\n", a.Naming().Name)
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "module\tpart\tchanges\trank\tscale")
	for _, m := range a.Modules() {
		part := m.Part
		if part == "" {
			part = "-"
		}
		fmt.Fprintf(t, "%s\t%s\t%v\t%d\t%.6g\n", m.Name, part, m.Shape, m.Rank, m.Scale)
	}
	return t.Flush()
}
