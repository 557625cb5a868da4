// Command placement shows where a search keeps its models: the plan of base + 3 of 7
// billion parameters on cards of several sizes, on headers alone, and what a search of a
// small family takes with its parents on the device, in host memory and on disk, also
// where it may not take more than it needs. See docs/memory.md.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/mergevo/mergevo/bench/family"
	"github.com/mergevo/mergevo/bench/measured"
	"github.com/mergevo/mergevo/bench/started"
)

func main() { started.Main("bench", run, os.Interrupt, syscall.SIGTERM) }

func run(ctx context.Context, args []string, out, talk io.Writer) error {
	f := pflag.NewFlagSet("placement", pflag.ContinueOnError)
	f.SetOutput(talk)
	paper := f.Bool("paper", false, "only the plans of 7 billion parameters")
	billions := f.Float64("size", 0.1, "billions of parameters of the family that is searched")
	limit := f.Int("limit", 0, "MB of data that the last search may have (default: what disk took, and half of what device took more)")
	work := f.String("dir", "", "folder for models and runs, which are kept (default: a temporary one)")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *work == "" {
		var err error
		if *work, err = os.MkdirTemp("", "mergevo-placement-"); err != nil {
			return err
		}
		defer os.RemoveAll(*work) //nolint:errcheck // a folder of ours in a temporary place
	}
	b := &bench{work: *work, program: filepath.Join(*work, "mergevo"), out: out, talk: talk}
	if err := started.Build(ctx, b.program); err != nil {
		return err
	}
	if err := b.plans(ctx); err != nil || *paper {
		return err
	}
	return b.searches(ctx, *billions, *limit)
}

type bench struct {
	work, program string
	out, talk     io.Writer
}

// plans prints what a search of four models of 7 billion parameters would take.
func (b *bench) plans(ctx context.Context) error {
	s, err := family.OfSize(7)
	if err != nil {
		return err
	}
	dir := filepath.Join(b.work, "seven")
	if err := family.Sparse(dir, s, 5e9); err != nil {
		return err
	}
	// A third fine-tune: the same headers under another name.
	if err := os.Symlink("ft1", filepath.Join(dir, "ft3")); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	for _, c := range []struct{ what, tasks string }{{"prompts that are answered", writingTasks}, {"texts that are read", readingTasks}} {
		recipe, err := writeRecipe(dir, []string{"ft1", "ft2", "ft3"}, c.tasks)
		if err == nil {
			err = writeLong(dir)
		}
		if err != nil {
			return err
		}
		for _, memory := range []string{"80GB", "64GB", "48GB", "24GB"} {
			fmt.Fprintf(b.out, "\n%s, %s:\n", memory, c.what)
			r, err := b.mergevo(ctx, 0, "search", recipe, "--dry-run", "--backend", "xla:cuda", "--memory", memory)
			if err != nil {
				return fmt.Errorf("%w\n%s", err, r.stderr)
			}
			fmt.Fprint(b.out, memoryOf(r.stdout))
		}
	}
	return nil
}

// result is what a run of mergevo left.
type result struct {
	stdout, stderr string
	anon           float64 // MB
}

// mergevo runs it with at most so many MB of data, 0 for any number.
func (b *bench) mergevo(ctx context.Context, limit int, args ...string) (r result, err error) {
	script := `exec "$0" "$@"`
	if limit > 0 {
		script = fmt.Sprintf("ulimit -d %d; %s", limit*1000*1000/1024, script)
	}
	c := exec.CommandContext(ctx, "sh", append([]string{"-c", script, b.program}, args...)...)
	c.Env = append(os.Environ(), "MERGEVO_OFFLINE=1", "HF_HUB_OFFLINE=1")
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Start(); err != nil {
		return r, err
	}
	ended, peak := make(chan struct{}), make(chan float64)
	go func() { peak <- measured.PeakAnonymous(c.Process.Pid, ended) }()
	err = c.Wait()
	close(ended)
	return result{stdout.String(), stderr.String(), <-peak}, err
}
