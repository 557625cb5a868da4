// Command table scores merge methods on a family of models, at their defaults and
// searched, on examples that no search saw. See bench/README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/mergevo/mergevo/bench/started"
	"github.com/mergevo/mergevo/internal/xla"
)

func main() { started.Main("bench", run, os.Interrupt, syscall.SIGTERM) }

func run(ctx context.Context, args []string, out, talk io.Writer) error {
	b := bench{talk: talk}
	f := pflag.NewFlagSet("table", pflag.ContinueOnError)
	f.SetOutput(talk)
	file := f.String("family", "", "a file that describes the models and what they are scored on, or a folder with a family.yaml")
	f.IntVar(&b.evaluations, "evaluations", 60, "of each search")
	f.IntVar(&b.population, "population", 6, "of CMA-ES; 0 for its own")
	f.IntVar(&b.steps, "steps", 200, "of refine")
	f.Uint64Var(&b.seed, "seed", 1, "of the searches and of the noise of methods that drop entries")
	f.StringVar(&b.backend, "backend", "auto", "where graphs run: "+strings.Join(xla.Names(), ", "))
	f.StringVar(&b.program, "mergevo", "", "the program to measure (default: built from this tree)")
	f.StringVar(&b.work, "work", "", "folder of recipes, runs and scores, which stay there: the same command goes on with them (default: a temporary one)")
	limit := f.Int("limit", 0, "most examples of each task, to try a family; 0 is what the file says")
	names := f.StringSlice("methods", usual, "what to measure; all for everything there is")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *file == "" {
		return errors.New("--family FILE is needed; bench/table has files of the families in testdata")
	}
	if len(*names) == 1 && (*names)[0] == "all" {
		*names = everything()
	}
	var err error
	if b.family, err = readFamily(*file, *limit); err != nil {
		return err
	}
	if b.work == "" {
		if b.work, err = os.MkdirTemp("", "mergevo-table-"); err != nil {
			return err
		}
		defer os.RemoveAll(b.work) //nolint:errcheck // a folder of ours in a temporary place
	} else if b.work, err = filepath.Abs(b.work); err == nil {
		err = b.claim(fmt.Sprint(*limit))
	}
	if err != nil {
		return err
	}
	if b.program != "" {
		if b.program, err = filepath.Abs(b.program); err != nil {
			return err
		}
	}
	if err := b.build(ctx); err != nil {
		return err
	}
	t := &table{bench: &b}
	ended := b.all(ctx, *names, t)
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

// claim refuses a work folder of another table.
func (b *bench) claim(limit string) error {
	if err := os.MkdirAll(b.work, 0o755); err != nil {
		return err
	}
	of := fmt.Sprintf("%s %s %s %v\n%d evaluations, population %d, %d steps, seed %d, limit %s, %s\n", b.family.dir, listed(b.family.Tasks), listed(b.family.HeldOut), b.family.Models,
		b.evaluations, b.population, b.steps, b.seed, limit, b.backend)
	file := filepath.Join(b.work, "table.txt")
	have, err := os.ReadFile(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return os.WriteFile(file, []byte(of), 0o644)
	case err == nil && string(have) != of:
		err = fmt.Errorf("%s has the runs of another table: %s", b.work, have)
	}
	return err
}

// all fills the table. It takes long, so that what there is when it is ended is
// printed too.
func (b *bench) all(ctx context.Context, names []string, t *table) error {
	if err := b.toBeat(ctx, t); err != nil {
		return err
	}
	for _, name := range names {
		list, why, err := b.family.entrants(name)
		if err != nil {
			return err
		}
		if why != "" {
			t.note(name + " is left out: it " + why + ".")
		}
		for i, e := range list {
			if err := b.measure(ctx, e, fmt.Sprintf("%s-%d", name, i), t); err != nil {
				return err
			}
		}
	}
	return nil
}

// toBeat scores what a merge has to beat: the models as they are, their average and the
// best λ of task arithmetic.
func (b *bench) toBeat(ctx context.Context, t *table) error {
	names := b.family.names()
	if b.family.Base != "" {
		names = append([]string{baseName}, names...)
	}
	for _, name := range names {
		o, err := b.eval(ctx, "model-"+name, b.family.path(name))
		t.Beat = append(t.Beat, row{Method: name, Plain: t.cell(name, o, err)})
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	o, err := b.evalRecipe(ctx, "average", b.average())
	t.Beat = append(t.Beat, row{Method: "average", Plain: t.cell("average", o, err)})
	if err != nil {
		return err // nothing can be held against it
	}
	t.examples = o.examples
	b.baselines = []string{filepath.Join(b.work, "average.yaml")}
	if b.family.Base == "" {
		return ctx.Err()
	}
	o, err = b.searchHoles(ctx, "lambda", b.arithmetic(oneWeight), b.cmaes())
	t.Beat = append(t.Beat, row{Method: "task arithmetic, the best λ", Genes: 1, Searched: t.cell("the best λ", o, err)})
	if err != nil {
		return err
	}
	b.baselines = append(b.baselines, filepath.Join(b.work, "lambda", "best.yaml"))
	return ctx.Err()
}

// measure scores an entrant, as it is and searched.
func (b *bench) measure(ctx context.Context, e entrant, name string, t *table) error {
	r := row{Method: e.title, Merges: e.String()}
	var o outcome
	var err error
	if e.made == "" { // the others have no defaults
		if err = b.describe(ctx, e, name); err == nil {
			o, err = b.evalRecipe(ctx, name, b.plain(e))
		}
		r.Plain = t.cell(e.title, o, err)
	}
	if err == nil {
		switch e.made {
		case refineTitle:
			o, err = b.refine(ctx, name)
		case "niche":
			o, err = b.searchHoles(ctx, name, b.recipe(e, nil, nil), "name: m2n2")
		default:
			o, err = b.searchNumbers(ctx, name, b.numbered(e))
		}
		if errors.Is(err, errNothing) {
			r.Searched = cells{nothing}
		} else {
			r.Searched, r.Genes = t.cell(e.title+", searched", o, err), o.genes
			t.failed(e.title, o.failed, o.evaluations)
		}
	}
	if ctx.Err() == nil {
		fmt.Fprintf(b.talk, "%s of %s: %s -> %s\n", r.Method, r.Merges, r.Plain[0], r.Searched[0])
		t.Rows = append(t.Rows, r)
	}
	return ctx.Err()
}
