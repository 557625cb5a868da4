package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
)

// applyOptions are the flags of `mergevo apply`.
type applyOptions struct {
	out, backend, allowMissing, shardSize string
	allowNonfinite, asMergekit            bool
	restart, offline                      bool
	dryRun, json                          bool
}

func newApply() *cobra.Command {
	var o applyOptions
	c := &cobra.Command{
		Use:   "apply FILE --out DIR",
		Short: "Write the model that a recipe describes",
		Long: `Merges the models of a recipe without holes and writes the result: safetensors,
the configuration and tokenizer files of the base (else of the first model), and
a model card and the recipe itself. The folder appears complete or not at all, and
memory does not grow with the model. When a merge is interrupted, the files of weights
that are finished stay in DIR.partial, and the same command continues with them. A
file of several named documents is merged one after the other; what the named ones
make is removed at the end.` + exits(exitFailed, exitUsage, exitDigest, exitInterrupted),
		Example: "  mergevo apply runs/search-1/best.yaml --out merged\n  mergevo apply ties.yaml --out merged --shard-size 2GB",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			v := &voice{out: c.OutOrStdout(), err: c.ErrOrStderr(), json: o.json}
			return runApply(c, v, o, args[0])
		},
	}
	f := c.Flags()
	f.StringVarP(&o.out, "out", "o", "", "folder to write; it must not hold anything yet")
	f.StringVar(&o.shardSize, "shard-size", "5GB", "largest file of weights, as in 5GB or 500MB; 0 writes one file")
	f.BoolVar(&o.restart, "restart", false, "begin anew, discarding what an interrupted merge left in DIR.partial")
	addMissing(c, &o.allowMissing)
	f.BoolVar(&o.allowNonfinite, "allow-nonfinite", false, "write NaN and Inf")
	f.BoolVar(&o.asMergekit, "as-mergekit", false, "mergekit's numbers where ours differ by design; mergevo methods NAME says where")
	f.BoolVar(&o.dryRun, "dry-run", false, "check everything, print what would be written, and exit")
	f.BoolVar(&o.json, "json", false, "print events as JSON, one a line")
	addBackend(c, &o.backend)
	addOffline(c, &o.offline)
	return c
}

func runApply(c *cobra.Command, v *voice, o applyOptions, file string) error {
	if o.out == "" && !o.dryRun {
		return usage(errors.New("--out DIR is needed: where shall the model go?"))
	}
	shard, err := parseSize(o.shardSize)
	if err != nil {
		return err
	}
	missing, err := parseMissing(o.allowMissing)
	if err != nil {
		return err
	}
	docs, err := readDocuments(file)
	if err != nil {
		return err
	}
	for _, r := range docs {
		if r.HasHoles() {
			return usage(fmt.Errorf("%s has holes; mergevo search fills them", file))
		}
		r.AsMergekit = o.asMergekit
	}
	named, last := split(docs)
	if o.out != "" {
		if err := free(o.out); err != nil {
			return err
		}
	}
	how := opening{missing: missing, dir: filepath.Dir(file), hub: headersOnly(c, o.offline)}
	// Everything is checked before anything is written, or fetched but headers.
	how.steps, err = promises(c.Context(), named, how, func(_ *recipes.Recipe, op *opened) error { return op.say(v) })
	if err != nil {
		return err
	}
	w, err := openMerge(c.Context(), last, how)
	if err != nil {
		return err
	}
	defer func() { w.opened.close() }()
	if err := w.opened.say(v); err != nil {
		return err
	}
	if o.dryRun {
		plan := w.event(o.out)
		for _, s := range how.steps {
			plan.Between += bytesOf(s.source.Tensors())
		}
		return v.tell(plan)
	}
	on := stepMerge{dir: steps(o.out), backend: o.backend, nonfinite: o.allowNonfinite}
	if len(named) > 0 || w.opened.hollow() {
		how.hub = wholeModels(c, o.offline, o.json)
		if how.steps, err = on.steps(c, v, named, how); err != nil {
			return err
		}
		whole, err := openMerge(c.Context(), last, how)
		if err != nil {
			return err
		}
		w.opened.close()
		w = whole
	}
	if err := w.opened.checkDigests(c.Context()); err != nil {
		return err
	}
	if w.backend, err = openBackend(c, o.backend); err != nil {
		return err
	}
	w.documents, w.shard, w.nonfinite, w.restart = docs, shard, o.allowNonfinite, o.restart
	w.args = o.changed(c)
	if err := w.write(c.Context(), v, o.out); err != nil {
		return err
	}
	return on.remove(how.steps)
}

// changed lists the flags that change what is written, as they were given.
func (o applyOptions) changed(c *cobra.Command) []string {
	var args []string
	for _, name := range []string{"allow-missing", "allow-nonfinite", "as-mergekit"} {
		if f := c.Flags().Lookup(name); f.Changed {
			args = append(args, "--"+name)
			if f.Value.Type() != "bool" {
				args = append(args, f.Value.String())
			}
		}
	}
	return args
}

// free refuses an output that is taken, before the work that would fill it; no name
// is free.
func free(out string) error {
	if entries, err := os.ReadDir(out); out == "" || errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s; remove it or choose another", tensors.ErrExists, out)
}

// applyEvent is what a merge wrote, or would write.
type applyEvent struct {
	Out     string  `json:"out"`
	Tensors int     `json:"tensors"`
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds,omitempty"`
	Planned bool    `json:"planned,omitempty"`
	// Adapter says that what is written is one; Tensors are its modules then.
	Adapter bool `json:"adapter,omitempty"`
	// Between are the bytes that named documents make on the way.
	Between int64 `json:"between_bytes,omitempty"`
}

func (applyEvent) name() string { return "applied" }

func (e applyEvent) text(w io.Writer) {
	if e.Adapter {
		fmt.Fprintf(w, "would write an adapter of %s\n", count(e.Tensors, "module"))
		return
	}
	if e.Planned {
		fmt.Fprintf(w, "would write %d tensors, %s\n", e.Tensors, size(e.Bytes))
		if e.Between > 0 {
			fmt.Fprintf(w, "and on the way, for documents that it is made of: %s\n", size(e.Between))
		}
		return
	}
	fmt.Fprintf(w, "wrote %s: %d tensors, %s in %.1f s\n", e.Out, e.Tensors, size(e.Bytes), e.Seconds)
}

// checkDigests compares the models with the digests that a recipe pins.
func (op *opened) checkDigests(ctx context.Context) error {
	pinned := op.recipe.Sources()
	if len(pinned) == 0 {
		return nil
	}
	have, err := op.digests(ctx)
	if err != nil {
		return err
	}
	for _, in := range op.inputs() {
		if want, ok := pinned[in.ref]; ok && want != have[in.ref] {
			return coded{errDigest, fmt.Errorf("%s %s (%s) is not the one the recipe was made with: its digest is %s, the recipe's provenance says %s\nhint: remove provenance.sources from the recipe to merge it all the same", in.what, in.ref, in.place, have[in.ref], want)}
		}
	}
	return nil
}

// applyAnswer writes the model that a search found.
func (s *search) applyAnswer(ctx context.Context, v *voice, a *answer, o searchOptions) error {
	if n := s.niched.networks(); n != nil {
		return n.write(s, o.apply, a.genome)
	}
	at, _, err := s.opened.at(s.values(a.genome))
	if err != nil {
		return err
	}
	w := &merging{opened: at, spec: a.entry.spec, documents: []*recipes.Recipe{a.recipe}, backend: s.backend}
	return w.write(ctx, v, o.apply)
}

var sizePattern = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)\s*([kKmMgGtT]?)(i?)[bB]?$`)

// parseSize reads a number of bytes such as 5GB, 500M or 2GiB.
func parseSize(text string) (int64, error) {
	m := sizePattern.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return 0, usage(fmt.Errorf("%q is no size: want a number of bytes such as 5GB or 500MB", text))
	}
	x, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0, usage(err)
	}
	unit := 1000.0
	if m[3] != "" {
		unit = 1024
	}
	for range strings.Index("kmgt", strings.ToLower(m[2] + " ")[:1]) + 1 {
		x *= unit
	}
	if x > 1e18 {
		return 0, usage(fmt.Errorf("%q is no sane size", text))
	}
	return int64(x), nil
}
