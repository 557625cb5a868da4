// Command methods scores every merge method on the digits of testdata/mnist, at its
// defaults and searched, on images that no search saw. See bench/README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/mergevo/mergevo/internal/xla"
	"github.com/mergevo/mergevo/merge"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, pflag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, talk io.Writer) error {
	b := bench{talk: talk}
	f := pflag.NewFlagSet("methods", pflag.ContinueOnError)
	f.SetOutput(talk)
	f.IntVar(&b.evaluations, "evaluations", 300, "of each search")
	f.Uint64Var(&b.seed, "seed", 1, "of the searches and of the noise of methods that drop entries")
	f.StringVar(&b.backend, "backend", "auto", "where graphs run: "+strings.Join(xla.Names(), ", "))
	f.StringVar(&b.program, "mergevo", "", "the program to measure (default: built from this tree)")
	only := f.StringSlice("methods", nil, "methods to measure (default: all)")
	f.StringSliceVar(&b.families, "families", families[:], "families to measure them on")
	if err := f.Parse(args); err != nil {
		return err
	}
	for _, name := range b.families {
		if !slices.Contains(families[:], name) {
			return fmt.Errorf("--families: no %q; there are %s", name, strings.Join(families[:], ", "))
		}
	}
	methods, err := chosen(*only)
	if err != nil {
		return err
	}
	if b.data, err = filepath.Abs("testdata/mnist"); err != nil {
		return err
	}
	if b.work, err = os.MkdirTemp("", "mergevo-methods-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.work) //nolint:errcheck // a folder of ours in a temporary place
	if err := b.build(ctx); err != nil {
		return err
	}
	t := &table{evaluations: b.evaluations, seed: b.seed}
	ended := b.all(ctx, methods, t)
	if ended != nil {
		t.note("Incomplete: the run was ended here.")
	}
	if err := t.print(out); err != nil || ended != nil {
		return errors.Join(ended, err)
	}
	if t.refused > 0 {
		return fmt.Errorf("mergevo refused or failed %d times; the table's notes say why", t.refused)
	}
	return nil
}

// all fills the table. It takes long, so that what there is when it is ended is
// printed too.
func (b *bench) all(ctx context.Context, methods []*merge.Method, t *table) error {
	if err := b.toBeat(ctx, t); err != nil {
		return err
	}
	for _, m := range methods {
		for _, e := range entrants(m) {
			if err := b.measure(ctx, e, t); err != nil {
				return err
			}
		}
	}
	return nil
}

// chosen are the methods of those names, or all.
func chosen(names []string) ([]*merge.Method, error) {
	if len(names) == 0 {
		return merge.Methods(), nil
	}
	var list []*merge.Method
	for _, name := range names {
		m, ok := merge.Lookup(name)
		if !ok {
			return nil, fmt.Errorf("--methods: no %q; mergevo methods lists them", name)
		}
		list = append(list, m)
	}
	return list, nil
}

// families are the folders of testdata/mnist.
var families = [2]string{"mlp", "cnn"}

// each calls do for each family that is measured, with its place in the table.
func (b *bench) each(do func(i int, family string)) {
	for i, family := range families {
		if slices.Contains(b.families, family) {
			do(i, family)
		}
	}
}

// toBeat scores what a merge has to beat: the models as they are and their average.
func (b *bench) toBeat(ctx context.Context, t *table) error {
	for _, name := range slices.Concat([]string{"base"}, fineTunes) {
		r := row{Method: name}
		b.each(func(i int, family string) {
			s, err := b.eval(ctx, b.model(family, name))
			r.Plain[i] = t.cell(name+", "+family, s, err)
		})
		t.Beat = append(t.Beat, r)
	}
	average := row{Method: "average", Merges: strings.Join(fineTunes, ", ")}
	b.each(func(i int, family string) {
		s, err := b.evalRecipe(ctx, "average-"+family, b.average(family))
		average.Plain[i] = t.cell("average, "+family, s, err)
	})
	t.Beat = append(t.Beat, average, row{Method: "task arithmetic, the best λ of 15", Merges: fineTuneEntrant.String()})
	return ctx.Err()
}

// measure scores a method, as it is and searched.
func (b *bench) measure(ctx context.Context, e entrant, t *table) error {
	r := row{Method: e.method.Name, Merges: e.String()}
	b.each(func(i int, family string) {
		if ctx.Err() != nil {
			return
		}
		what := e.method.Name + " of " + e.String() + ", " + family
		name := fmt.Sprintf("%s-%d-%s", e.method.Name, len(t.Rows), family)
		var s score
		err := b.describe(ctx, e, family)
		if err == nil {
			s, err = b.evalRecipe(ctx, name, b.plain(e, family))
		}
		r.Plain[i] = t.cell(what, s, err)
		found, err := b.search(ctx, name, b.numbered(e, family))
		if errors.Is(err, errNothing) {
			r.Searched[i] = nothing
		} else {
			r.Searched[i], r.Genes = t.cell(what+", searched", found.score, err), max(r.Genes, found.genes)
			if found.over != nil {
				r.Over[i] = fmt.Sprintf("%+.2f ± %.2f", 100*found.over.Mean, 100*found.over.Half)
			}
			t.failed(what, found.failed, found.evaluations)
		}
		// Every such search scores the same; any will do.
		if e.String() == fineTuneEntrant.String() && found.oneLambda != nil {
			t.Beat[len(t.Beat)-1].Plain[i] = found.oneLambda.String()
		}
		if ctx.Err() != nil {
			return
		}
		fmt.Fprintf(b.talk, "%s: %s -> %s\n", what, r.Plain[i], r.Searched[i])
	})
	if ctx.Err() == nil {
		t.Rows = append(t.Rows, r)
	}
	return ctx.Err()
}
