// Command evaluate measures what a candidate costs where models are encoders of
// MiniLM's shape: the merge, the forward pass beside PyTorch's on the same batches,
// and the way of writing each candidate with mergekit and loading it. See
// bench/README.md.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/mergevo/mergevo/bench/measured"
	"github.com/mergevo/mergevo/bench/started"
	"github.com/mergevo/mergevo/internal/xla"
)

func main() { started.Main("bench", run, os.Interrupt, syscall.SIGTERM) }

func run(ctx context.Context, args []string, out, talk io.Writer) (err error) {
	f := pflag.NewFlagSet("evaluate", pflag.ContinueOnError)
	f.SetOutput(talk)
	rounds := f.Int("rounds", 5, "rounds, in each of which all are measured")
	texts := f.Int("texts", 128, "texts a candidate is scored on, of 64 tokens")
	backend := f.String("backend", "auto", "where graphs run: "+strings.Join(xla.Names(), ", "))
	python := f.String("python", "", "a Python with torch, transformers and mergekit to compare with (default: none)")
	if err := f.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mergevo-evaluate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a folder of ours in a temporary place
	if err := writeFamily(dir); err != nil {
		return err
	}
	b, err := xla.Open(ctx, *backend, talk, nil)
	if err != nil {
		return err
	}
	s, err := newSubject(b, dir, *texts)
	if err != nil {
		return err
	}
	defer s.close()
	contenders := []contender{{"a candidate: merge and forward", s.candidate}}
	if *python != "" {
		p, err := startPeer(ctx, *python, dir, *texts)
		if err != nil {
			return err
		}
		defer p.close()
		contenders = append(contenders, contender{"PyTorch: forward", p.asking("forward")}, contender{"mergekit: write, load, forward", p.asking("mergekit")},
			contender{"the same, a process a candidate", alone(*python, dir, *texts)})
	}
	seconds := make([][]float64, len(contenders))
	for round := range *rounds + 1 {
		for i, c := range contenders {
			took, err := c.run(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			if round > 0 { // the first compiles
				seconds[i] = append(seconds[i], took)
			}
		}
		fmt.Fprintf(talk, "round %d of %d\n", round, *rounds)
	}
	fmt.Fprintf(out, "%s, %d texts of 64 tokens, %d parameters, base and three models; median of %d rounds\n", b.Kind, *texts, s.parameters, *rounds)
	for i, c := range contenders {
		m := measured.Median(seconds[i])
		fmt.Fprintf(out, "%-34s %8.3f s", c.name, m)
		if i > 0 {
			fmt.Fprintf(out, "   %.2fx of ours", measured.Median(measured.Ratios(seconds[i], seconds[0])))
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintf(out, "the merge is %.1f %% of a candidate (10 asked at most)\n", 100*s.share())
	return nil
}

// contender is one way to score a candidate; run returns its seconds.
type contender struct {
	name string
	run  func(context.Context) (float64, error)
}

func (s *subject) path(name string) string { return filepath.Join(s.dir, name) }
