// Command search measures what a search costs beyond running its models, as ratios
// of things that run side by side. See bench/README.md.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/pflag"

	"github.com/mergevo/mergevo/bench/started"
	"github.com/mergevo/mergevo/internal/xla"
)

func main() { started.Main("bench", run, os.Interrupt) }

func run(ctx context.Context, args []string, out, talk io.Writer) error {
	f := pflag.NewFlagSet("search", pflag.ContinueOnError)
	f.SetOutput(talk)
	backend := f.String("backend", "auto", "where graphs run: "+strings.Join(xla.Names(), ", "))
	recipe := f.String("recipe", "testdata/mnist/search.yaml", "the search to measure, its files beside it")
	rounds := f.Int("rounds", 5, "timed rounds; whole searches take half as many")
	evaluations := f.Int("evaluations", 1600, "of the whole search")
	asJSON := f.Bool("json", false, "print objects as JSON, one a line")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *rounds < 1 {
		return errors.New("--rounds must be positive")
	}
	b, err := xla.Open(ctx, *backend, talk, nil)
	if err != nil {
		return err
	}
	s, err := openSubject(ctx, b, *recipe)
	if err != nil {
		return err
	}
	defer s.close()
	p := &printer{out: out, talk: talk, json: *asJSON}
	err = p.setup(setup{Backend: b.Kind, Plugin: filepath.Base(b.Plugin), Cores: runtime.GOMAXPROCS(0),
		Candidates: len(s.specs), Examples: s.examples(), Flops: s.model.Flops, Rounds: *rounds})
	if err != nil {
		return err
	}
	e, err := newExam(s)
	if err != nil {
		return err
	}
	defer e.finalize()
	if err := candidates(ctx, s, e, *rounds, p); err != nil {
		return err
	}
	if err := share(s, e, *rounds, p); err != nil {
		return err
	}
	return outside(ctx, b, *recipe, *evaluations, (*rounds+1)/2, p)
}
