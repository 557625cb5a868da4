package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/internal/xla"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
)

// applyOptions are the flags of `mergevo apply`.
type applyOptions struct {
	out, backend, allowMissing, shardSize string
	allowNonfinite, dryRun, json          bool
}

func newApply() *cobra.Command {
	var o applyOptions
	c := &cobra.Command{
		Use:   "apply FILE --out DIR",
		Short: "Write the model that a recipe describes",
		Long: `Merges the models of a recipe without holes and writes the result: safetensors,
the configuration and tokenizer files of the base (else of the first model), and
the recipe itself. The folder appears complete or not at all, and memory does not
grow with the model.` + exits(exitFailed, exitUsage, exitDigest, exitInterrupted),
		Example: "  mergevo apply runs/search-1/best.yaml --out merged\n  mergevo apply ties.yaml --out merged --shard-size 5GB",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			v := &voice{out: c.OutOrStdout(), err: c.ErrOrStderr(), json: o.json}
			return runApply(c, v, o, args[0])
		},
	}
	f := c.Flags()
	f.StringVarP(&o.out, "out", "o", "", "folder to write; it must not hold anything yet")
	f.StringVar(&o.shardSize, "shard-size", "0", "largest file, as in 5GB or 500MB; 0 writes one file")
	addMissing(c, &o.allowMissing)
	f.BoolVar(&o.allowNonfinite, "allow-nonfinite", false, "write NaN and Inf")
	f.BoolVar(&o.dryRun, "dry-run", false, "check everything, print what would be written, and exit")
	f.BoolVar(&o.json, "json", false, "print events as JSON, one a line")
	addBackend(c, &o.backend)
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
	r, err := readRecipe(file)
	if err != nil {
		return err
	}
	if r.HasHoles() {
		return usage(fmt.Errorf("%s has holes; mergevo search fills them", file))
	}
	missing, err := parseMissing(o.allowMissing)
	if err != nil {
		return err
	}
	op, err := openModels(r, filepath.Dir(file), missing, nil)
	if err != nil {
		return err
	}
	defer op.close()
	for _, n := range r.Notes() {
		v.say("%s", n)
	}
	if err := op.checkDigests(c.Context()); err != nil {
		return err
	}
	spec, err := op.family.Spec(nil)
	if err != nil {
		return err
	}
	if o.dryRun {
		return v.tell(op.applyPlan(spec, o.out))
	}
	b, err := openBackend(c, o.backend)
	if err != nil {
		return err
	}
	return writeModel(c.Context(), v, b, op, spec, r, o.out, shard, o.allowNonfinite)
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
}

func (applyEvent) name() string { return "applied" }

func (e applyEvent) text(w io.Writer) {
	if e.Planned {
		fmt.Fprintf(w, "would write %d tensors, %s\n", e.Tensors, size(e.Bytes))
		return
	}
	fmt.Fprintf(w, "wrote %s: %d tensors, %s in %.1f s\n", e.Out, e.Tensors, size(e.Bytes), e.Seconds)
}

func (op *opened) applyPlan(s *merge.Spec, out string) applyEvent {
	e := applyEvent{Out: out, Planned: true}
	for _, t := range merge.Layout(s, op.parents) {
		e.Tensors++
		e.Bytes += t.Bytes()
	}
	return e
}

// writeModel streams a merge into a folder that appears when it is complete.
func writeModel(ctx context.Context, v *voice, b *xla.Backend, op *opened, s *merge.Spec, r *recipes.Recipe, out string, shard int64, nonfinite bool) error {
	began := time.Now()
	// The output keeps its recipe, whose paths are read from there.
	kept, err := relocated(r, op, out)
	if err != nil {
		return err
	}
	recipe := kept.Marshal()
	w, err := tensors.Create(out, merge.Layout(s, op.parents), tensors.Options{
		ShardSize: shard, Metadata: map[string]string{"mergevo_recipe": string(recipe)},
	})
	if err != nil {
		return err
	}
	defer w.Close()
	done := op.applyPlan(s, out)
	if err := op.companions(w, s); err != nil {
		return err
	}
	if err := w.AddFile("mergevo_recipe.yaml", recipe); err != nil {
		return err
	}
	progress := newBar(v.err, done.Bytes, 0, size, v.json)
	defer progress.finish()
	var mu sync.Mutex
	var written int64
	err = merge.Apply(ctx, b.Backend, s, op.parents, w, merge.ApplyOptions{
		AllowNonfinite: nonfinite,
		Progress: func(tensor string, n int64) {
			mu.Lock()
			defer mu.Unlock()
			written += n
			progress.set(written, tensor)
		},
	})
	if err == nil {
		err = ctx.Err()
	}
	if errors.Is(err, context.Canceled) {
		return coded{errInterrupted, fmt.Errorf("interrupted; nothing was written to %s", out)}
	}
	if err != nil {
		return err
	}
	if err := w.Commit(); err != nil {
		return err
	}
	progress.finish()
	done.Planned, done.Seconds = false, time.Since(began).Seconds()
	return v.tell(done)
}

// companionFiles are what travels with a model besides its tensors.
var companionFiles = []string{
	"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
	"added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "tokenizer.model", "chat_template.jinja", "preprocessor_config.json",
}

// companions copies them from the base, else from the first model. A config that
// names a type is told the one written.
func (op *opened) companions(w *tensors.Writer, s *merge.Spec) error {
	from := op.open[0].Dir()
	for _, name := range companionFiles {
		data, err := os.ReadFile(filepath.Join(from, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if name == "config.json" && s.DType != 0 {
			data = withType(data, s.DType)
		}
		if err := w.AddFile(name, data); err != nil {
			return err
		}
	}
	return nil
}

var typeKey = regexp.MustCompile(`("(?:torch_dtype|dtype)"\s*:\s*)"[a-z0-9.]+"`)

// withType changes the type that a config.json names, and nothing else of it.
func withType(config []byte, d tensors.DType) []byte {
	if !json.Valid(config) {
		return config
	}
	return typeKey.ReplaceAll(config, []byte(`${1}"`+d.Torch()+`"`))
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
	for i, name := range op.parents.Names() {
		if want, ok := pinned[name]; ok && want != have[i] {
			return coded{errDigest, fmt.Errorf("model %s (%s) is not the one the recipe was made with: its digest is %s, the recipe's provenance says %s\nhint: remove provenance.sources from the recipe to merge it all the same", name, op.paths[i], have[i], want)}
		}
	}
	return nil
}

// applyAnswer writes the model that a search found.
func (s *search) applyAnswer(ctx context.Context, v *voice, a *answer, o searchOptions) error {
	return writeModel(ctx, v, s.backend, s.opened, a.entry.spec, a.recipe, o.apply, 0, false)
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
