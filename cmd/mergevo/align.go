package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/merge/align"
	"github.com/mergevo/mergevo/recipes"
)

// alignOptions are the flags of `mergevo align`.
type alignOptions struct {
	out, tasks, plot, backend, shardSize string
	together, residual, offline, json    bool
	seed                                 uint64
	points, vectors                      int
	gamma                                float64
	memory                               memoryFlags
}

func newAlign() *cobra.Command {
	o := alignOptions{points: 11, vectors: 8, gamma: 0.3}
	c := &cobra.Command{
		Use:   "align A B [C ...] [--out DIR]",
		Short: "Put the units of models in the order of another's, before they are merged",
		Long: `Finds in which order the hidden units, channels and heads of B stand so that B lies
nearest to A (Git Re-Basin, weight matching), and writes B in that order: it computes
what B does, and averages of it with A keep more of both. It is for models that were
trained apart; fine-tunes of one base are in one order already.

Of several models each is matched with A, or with --together with the mean of the
others, and --out is a folder with one for each. It reports how far the models lie from
each other, how well the leading singular vectors of each matrix agree, and with --tasks
the loss and the score on the straight way from A to each, before and after.

The families are ` + familiesOf() + `.
A recipe has the same as a block: align: {to: A, seed: 0}.` + exits(exitFailed, exitUsage, exitInterrupted),
		Example: "  mergevo align testdata/digits/low.safetensors testdata/digits/high.safetensors --out high-as-low\n  mergevo align ./a ./b ./c --together --out aligned --tasks tasks.yaml --plot path.svg",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			v := &voice{out: c.OutOrStdout(), err: c.ErrOrStderr(), json: o.json}
			err := runAlign(c, v, o, args)
			if errors.Is(err, context.Canceled) {
				return coded{errInterrupted, errors.New("interrupted; nothing was written")}
			}
			return err
		},
	}
	f := c.Flags()
	f.StringVarP(&o.out, "out", "o", "", "folder to write; it must not hold anything yet. Without, nothing is written but the report")
	f.BoolVar(&o.together, "together", false, "match each model with the mean of the others, until none changes")
	f.BoolVar(&o.residual, "residual", false, "align the coordinates of a decoder's residual stream, too")
	f.Uint64Var(&o.seed, "seed", 0, "seed of the order in which units are visited")
	f.StringVar(&o.tasks, "tasks", "", "score the way between the models on the tasks of this file, or of a recipe's search block")
	f.IntVar(&o.points, "points", o.points, "number of points on the way, both ends among them")
	f.IntVar(&o.vectors, "vectors", o.vectors, "at most so many singular vectors of a matrix are compared; 0 leaves it out")
	f.Float64Var(&o.gamma, "gamma", o.gamma, "those whose singular value is at least this part of the largest, in [0, 1]")
	f.StringVar(&o.plot, "plot", "", "draw the report to this svg, png or pdf")
	f.StringVar(&o.shardSize, "shard-size", "5GB", "largest file of weights, as in 5GB or 500MB; 0 writes one file")
	f.BoolVar(&o.json, "json", false, "print events as JSON, one a line")
	o.memory.add(c)
	addBackend(c, &o.backend)
	addOffline(c, &o.offline)
	return c
}

// familiesOf lists what can be aligned.
func familiesOf() string {
	var names []string
	for _, f := range align.Families() {
		if f.Types[0] != f.Name || len(f.Types) > 1 {
			names = append(names, fmt.Sprintf("%s (%s)", f.Name, strings.Join(f.Types, ", ")))
			continue
		}
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}

// check refuses flags that make no sense, before any work.
func (o *alignOptions) check() (shard int64, err error) {
	switch ext := strings.ToLower(filepath.Ext(o.plot)); {
	case o.points < 2:
		return 0, usage(fmt.Errorf("--points %d: a way has two ends", o.points))
	case o.vectors < 0 || !(o.gamma >= 0 && o.gamma <= 1):
		return 0, usage(fmt.Errorf("--vectors %d --gamma %g: a number that is not negative, and one in [0, 1]", o.vectors, o.gamma))
	case o.plot != "" && !slices.Contains([]string{".svg", ".png", ".pdf"}, ext):
		return 0, usage(fmt.Errorf("--plot %s: want a file .svg, .png or .pdf", o.plot))
	}
	if o.plot != "" {
		if err := placeable(o.plot); err != nil {
			return 0, err
		}
	}
	if shard, err = parseSize(o.shardSize); err != nil {
		return 0, err
	}
	if o.out == "" {
		return shard, nil
	}
	return shard, free(o.out)
}

func runAlign(c *cobra.Command, v *voice, o alignOptions, refs []string) error {
	began := time.Now()
	shard, err := o.check()
	if err != nil {
		return err
	}
	op, err := openToAlign(c, o, refs)
	if err != nil {
		return err
	}
	defer op.close()
	// What the way is scored on is read before the work that it shows.
	var way *way
	if o.tasks != "" {
		if way, err = newWay(c, v, op, o); err != nil {
			return err
		}
		defer way.close()
	}
	if err := op.orders(c.Context(), v); err != nil {
		return err
	}
	e := alignEvent{To: refs[0], Family: op.aligned.spec.Family, Seed: o.seed, Together: o.together, Digest: align.Digest(op.aligned.found)}
	for i := range refs[1:] {
		m, err := op.compare(c.Context(), v, o, i+1)
		if err != nil {
			return err
		}
		if way != nil {
			if m.Path, err = way.between(c.Context(), i+1); err != nil {
				return err
			}
		}
		e.Models = append(e.Models, m)
	}
	if way != nil && len(refs) > 2 {
		if e.Mean, err = way.mean(c.Context()); err != nil {
			return err
		}
	}
	if o.plot != "" {
		if err := e.draw(o.plot); err != nil {
			return err
		}
	}
	if o.out != "" {
		if err := op.writeAligned(c.Context(), v, o.out, shard, &e); err != nil {
			return err
		}
	}
	e.Seconds = time.Since(began).Seconds()
	return v.tell(e)
}

// openToAlign opens the models, and finds their units: those of the first stay.
func openToAlign(c *cobra.Command, o alignOptions, refs []string) (_ *opened, err error) {
	op := &opened{recipe: &recipes.Recipe{}, layout: &recipes.Arrangement{}}
	defer func() {
		if err != nil {
			op.close()
		}
	}()
	how := &opening{dir: ".", hub: wholeModels(c, o.offline, o.json)}
	for i, ref := range refs {
		m, err := how.open(c.Context(), ref)
		if err != nil {
			return nil, fmt.Errorf("model %s: %w", ref, err)
		}
		op.models = append(op.models, m)
		if m.bare() {
			return nil, usage(fmt.Errorf("%s is an adapter, which has no units of its own: align MODEL+%s", ref, ref))
		}
		if slices.ContainsFunc(op.models[:i], m.same) {
			return nil, usage(fmt.Errorf("%s is listed twice", ref))
		}
	}
	op.aligned, err = newAligned(op.models, refs[0], recipes.Align{Together: o.together, Residual: o.residual, Seed: o.seed})
	if err != nil {
		return nil, usage(err)
	}
	for i, m := range op.models {
		if m.source, err = op.aligned.view(i); err != nil {
			return nil, err
		}
	}
	return op, nil
}

// compare says what became of a model.
func (o *opened) compare(ctx context.Context, v *voice, how alignOptions, i int) (m alignedModel, err error) {
	a := o.aligned
	m.Name = a.names[i]
	for k, n := range a.found[i].Moved() {
		p := a.spec.Permutations[k]
		m.Sets = append(m.Sets, unitSet{Name: p.Name, Units: p.Units, Moved: n})
		m.Units, m.Moved = m.Units+p.Units, m.Moved+n
	}
	first, was, is := o.models[0].source, a.sources[i], o.models[i].source
	if m.Tensors, err = align.Distances(ctx, first, was, is); err != nil {
		return m, err
	}
	m.Distance = align.Whole(m.Tensors)
	if how.vectors == 0 {
		return m, nil
	}
	progress := newBar(v.err, 1, 0, func(n int64) string { return count(int(n), "matrix") }, v.json)
	defer progress.finish()
	m.Vectors, err = a.spec.Vectors(ctx, first, was, a.found[i], align.Leading{Gamma: how.gamma, Most: how.vectors}, func(tensor string, done, of int) {
		progress.grow(int64(of))
		progress.set(int64(done), "singular vectors of "+tensor)
	})
	return m, err
}
