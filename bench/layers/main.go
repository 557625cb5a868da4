// Command layers measures what merges that solve for whole tensors, and measurements of
// models' data, take of a llama: at a few layers of full width, from which a model of
// more follows. See bench/README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/mergevo/mergevo/bench/family"
	"github.com/mergevo/mergevo/bench/measured"
	"github.com/mergevo/mergevo/bench/started"
)

func main() { started.Main("bench", run, os.Interrupt, syscall.SIGTERM) }

// bench is a measurement at two numbers of layers.
type bench struct {
	program, work string
	layers        []int
	texts, tokens int
}

// used is what a command took: seconds of the processor and of the clock, and MB at the
// most.
type used struct{ cpu, wall, anonymous, mapped float64 }

func run(ctx context.Context, args []string, out, talk io.Writer) error {
	b := bench{}
	f := pflag.NewFlagSet("layers", pflag.ContinueOnError)
	f.SetOutput(talk)
	size := f.Float64("size", 0.5, "of the llama whose width is taken, billions of parameters")
	f.IntSliceVar(&b.layers, "layers", []int{1, 2}, "two numbers of layers to measure")
	f.IntVar(&b.texts, "texts", 16, "that models' data are measured on")
	f.IntVar(&b.tokens, "tokens", 64, "of each text")
	f.StringVar(&b.program, "mergevo", "", "the program to measure (default: built from this tree)")
	f.StringVar(&b.work, "work", "", "folder for the models (default: a temporary one)")
	only := f.StringSlice("only", nil, "of what is measured (default: all)")
	if err := f.Parse(args); err != nil {
		return err
	}
	whole, err := family.OfSize(*size)
	if err != nil {
		return err
	}
	if len(b.layers) != 2 || b.layers[0] < 1 || b.layers[1] <= b.layers[0] {
		return errors.New("--layers: want two numbers, the second larger")
	}
	if b.work == "" {
		if b.work, err = os.MkdirTemp("", "mergevo-layers-"); err != nil {
			return err
		}
		defer os.RemoveAll(b.work) //nolint:errcheck // a folder of ours in a temporary place
	}
	if b.work, err = filepath.Abs(b.work); err != nil {
		return err
	}
	if b.program == "" {
		b.program = filepath.Join(b.work, "mergevo")
		if err := started.Build(ctx, b.program); err != nil {
			return err
		}
	} else if b.program, err = filepath.Abs(b.program); err != nil {
		return err
	}
	var folders []string
	for _, n := range b.layers {
		s := whole
		s.Layers = n
		dir := filepath.Join(b.work, fmt.Sprint(n, "-layers"))
		if err := b.prepare(ctx, dir, s); err != nil {
			return err
		}
		folders = append(folders, dir)
	}
	fmt.Fprintf(out, "| what | processor s, %d and %d layers | wall s | MB anonymous | MB mapped | processor s, %d layers (reckoned) |\n|---|---:|---:|---:|---:|---:|\n", b.layers[0], b.layers[1], whole.Layers)
	for _, c := range b.commands() {
		if *only != nil && !slices.Contains(*only, c.name) {
			continue
		}
		var u [2]used
		for i, dir := range folders {
			if u[i], err = b.command(ctx, dir, c); err != nil {
				return err
			}
		}
		each := (u[1].cpu - u[0].cpu) / float64(b.layers[1]-b.layers[0])
		fmt.Fprintf(out, "| %s | %.1f, %.1f | %.1f, %.1f | %.0f, %.0f | %.0f, %.0f | %.0f |\n", c.name, u[0].cpu, u[1].cpu, u[0].wall, u[1].wall,
			u[0].anonymous, u[1].anonymous, u[0].mapped, u[1].mapped, u[0].cpu+each*float64(whole.Layers-b.layers[0]))
	}
	return nil
}

// command runs the program in a family's folder, to its end.
func (b *bench) command(ctx context.Context, dir string, c command) (used, error) {
	for _, name := range c.makes {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return used{}, err
		}
	}
	cmd := exec.CommandContext(ctx, b.program, c.args...)
	cmd.Dir = dir
	var text strings.Builder
	cmd.Stdout, cmd.Stderr = &text, &text
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return used{}, err
	}
	var u used
	ended, seen := make(chan struct{}), make(chan struct{})
	go func() {
		u.anonymous, u.mapped = measured.Peaks(cmd.Process.Pid, ended)
		close(seen)
	}()
	err := cmd.Wait()
	close(ended)
	<-seen
	if err != nil {
		return u, fmt.Errorf("mergevo %s: %w\n%s", strings.Join(c.args, " "), err, text.String())
	}
	u.wall, u.cpu = time.Since(began).Seconds(), (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	return u, nil
}
